#include "arrays.hpp"

namespace recocore::bindings {

CsrArgument::CsrArgument(const py::tuple& arrays, const char* argument) : argument_(argument) {
  require(arrays.size() == 4, [&] {
    return std::string(argument) + ": expected (indptr, indices, values, shape), got " + std::to_string(arrays.size()) +
           " elements";
  });
  const std::string name(argument);
  indptr_ = checked<std::int64_t>(arrays[0], (name + ".indptr").c_str(), 1);
  indices_ = checked<std::int32_t>(arrays[1], (name + ".indices").c_str(), 1);
  if (!arrays[2].is_none()) values_ = checked<float>(arrays[2], (name + ".values").c_str(), 1);
  std::tie(rows_, cols_) = arrays[3].cast<std::pair<std::int64_t, std::int64_t>>();
}

CsrPattern CsrArgument::pattern() const {
  return {rows_, cols_, span_of(indptr_), span_of(indices_)};
}

CsrView CsrArgument::view() const {
  require(values_.has_value(), [&] { return std::string(argument_) + ".values: expected an array, got None"; });
  return {pattern(), span_of(*values_)};
}

py::tuple to_python(CsrMatrix&& matrix) {
  const auto shape = py::make_tuple(matrix.rows, matrix.cols);
  return py::make_tuple(to_numpy(std::move(matrix.indptr)), to_numpy(std::move(matrix.indices)),
                        to_numpy(std::move(matrix.values)), shape);
}

}  // namespace recocore::bindings
