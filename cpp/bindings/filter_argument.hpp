// A candidate filter from Python.
#pragma once

#include <optional>
#include <vector>

#include "arrays.hpp"
#include "recocore/filter.hpp"

namespace recocore::bindings {

/// The arrays of a candidate filter; keeps them alive and checks their dtypes. Their content is checked by validate().
class FilterArgument {
 public:
  /// `exclude` is None or a list of (csr, rows), csr as CsrArgument takes it (values may be None) and rows an int32
  /// array with the row of each query, or None where query i uses row i. `block` is None or an int32 array for every
  /// query. `allow` is None, an int32 array for every query, or one (csr, rows).
  FilterArgument(const py::object& exclude, const py::object& block, const py::object& allow);

  /// Valid while this lives.
  [[nodiscard]] CandidateFilter filter() const;

 private:
  class Rows {
   public:
    Rows(const py::handle& pair, const char* argument);
    [[nodiscard]] RowsOf view() const;

   private:
    CsrArgument csr_;
    std::optional<py::array_t<std::int32_t>> rows_;
  };

  std::vector<Rows> exclude_;
  std::optional<py::array_t<std::int32_t>> block_;
  std::optional<Rows> allow_;
  std::optional<py::array_t<std::int32_t>> allow_shared_;
};

}  // namespace recocore::bindings
