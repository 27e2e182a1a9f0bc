#include "filter_argument.hpp"

namespace recocore::bindings {

FilterArgument::FilterArgument(const py::tuple& filter) {
  require(filter.size() == 3, [&] {
    return "filter: expected (exclude, block, allow), got " + std::to_string(filter.size()) + " elements";
  });
  for (const py::handle& rows : filter[0].cast<py::list>())
    filter_.exclude.push_back(rows_of(py::reinterpret_borrow<py::tuple>(rows), "exclude"));
  if (!filter[1].is_none()) filter_.block = ids_of(filter[1], "block");
  if (py::isinstance<py::tuple>(filter[2])) {
    filter_.allow = rows_of(filter[2], "allow");
  } else if (!filter[2].is_none()) {
    filter_.allow_shared = ids_of(filter[2], "allow");
  }
}

RowsOf FilterArgument::rows_of(const py::tuple& rows, const char* argument) {
  require(rows.size() == 2, [&] {
    return std::string(argument) + ": expected (csr, rows or None), got " + std::to_string(rows.size()) + " elements";
  });
  const CsrArgument& matrix = matrices_.emplace_back(rows[0].cast<py::tuple>(), argument);
  RowsOf result{matrix.pattern(), {}};
  if (!rows[1].is_none()) result.rows = ids_of(rows[1], argument);
  return result;
}

std::span<const std::int32_t> FilterArgument::ids_of(const py::object& ids, const char* argument) {
  return span_of(ids_.emplace_back(checked<std::int32_t>(ids, argument, 1)));
}

}  // namespace recocore::bindings
