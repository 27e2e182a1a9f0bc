// The filter of a ranking, (exclude, block, allow), as Python passes it: NativeFilter in recocore/types.py.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <deque>

#include "arrays.hpp"
#include "recocore/filter.hpp"

namespace recocore::bindings {

/// Keeps the arrays of a filter alive as long as the filter is used.
///
/// exclude is a list of (csr, rows or None), block is int32 ids or None, and allow is int32 ids, (csr, rows or None) or
/// None; a csr is (indptr, indices, values or None, shape).
class FilterArgument {
 public:
  explicit FilterArgument(const py::tuple& filter);

  [[nodiscard]] const CandidateFilter& filter() const noexcept { return filter_; }

 private:
  RowsOf rows_of(const py::tuple& rows, const char* argument);
  std::span<const std::int32_t> ids_of(const py::object& ids, const char* argument);

  std::deque<CsrArgument> matrices_;
  std::deque<py::array_t<std::int32_t>> ids_;
  CandidateFilter filter_;
};

}  // namespace recocore::bindings
