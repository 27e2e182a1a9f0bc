#include "filter_argument.hpp"

#include <string>

namespace recocore::bindings {
namespace {

/// A (csr, rows) tuple.
py::tuple pair_of(const py::handle& object, const char* argument) {
  const bool fits = py::isinstance<py::tuple>(object) && py::len(object) == 2 &&
                    py::isinstance<py::tuple>(py::reinterpret_borrow<py::tuple>(object)[0]);
  require(fits, [&] {
    return std::string(argument) + ": expected a tuple (csr, rows), csr being (indptr, indices, values, shape), got " +
           std::string(py::str(py::type::of(object).attr("__name__")));
  });
  return py::reinterpret_borrow<py::tuple>(object);
}

std::optional<py::array_t<std::int32_t>> ids_or_none(const py::object& object, const char* argument) {
  if (object.is_none()) return std::nullopt;
  return checked<std::int32_t>(object, argument, 1);
}

}  // namespace

FilterArgument::Rows::Rows(const py::handle& pair, const char* argument)
    : csr_(pair_of(pair, argument)[0], argument),
      rows_(ids_or_none(pair_of(pair, argument)[1], (std::string(argument) + ".rows").c_str())) {}

RowsOf FilterArgument::Rows::view() const {
  return {csr_.pattern(), rows_ ? span_of(*rows_) : std::span<const std::int32_t>{}};
}

FilterArgument::FilterArgument(const py::object& exclude, const py::object& block, const py::object& allow)
    : block_(ids_or_none(block, "block")) {
  if (!exclude.is_none()) {
    require(py::isinstance<py::list>(exclude), [&] {
      return "exclude: expected None or a list of (csr, rows), got " +
             std::string(py::str(py::type::of(exclude).attr("__name__")));
    });
    for (const py::handle& pair : exclude) exclude_.emplace_back(pair, "exclude");
  }
  if (py::isinstance<py::tuple>(allow)) {
    allow_.emplace(allow, "allow");
  } else {
    allow_shared_ = ids_or_none(allow, "allow");
  }
}

CandidateFilter FilterArgument::filter() const {
  CandidateFilter filter;
  for (const Rows& rows : exclude_) filter.exclude.push_back(rows.view());
  if (block_) filter.block = span_of(*block_);
  if (allow_) filter.allow = allow_->view();
  if (allow_shared_) filter.allow_shared = span_of(*allow_shared_);
  return filter;
}

}  // namespace recocore::bindings
