#include <string>

#include "arrays.hpp"
#include "execution.hpp"
#include "module.hpp"
#include "recocore/csr.hpp"

namespace recocore::bindings {
namespace {

Duplicates duplicates_from(const std::string& name) {
  if (name == "sum") return Duplicates::sum;
  if (name == "last") return Duplicates::last;
  if (name == "max") return Duplicates::max;
  throw Error(ErrorCode::invalid_argument, "duplicates: expected sum, last or max, got \"" + name + "\"");
}

py::tuple csr_from_coo_(const py::object& rows, const py::object& cols, const py::object& values,
                        std::pair<std::int64_t, std::int64_t> shape, const std::string& duplicates) {
  const auto row_ids = checked<std::int32_t>(rows, "rows", 1);
  const auto col_ids = checked<std::int32_t>(cols, "cols", 1);
  const auto entries = checked<float>(values, "values", 1);
  const Duplicates rule = duplicates_from(duplicates);
  return to_python(run_released(1, py::none(), [&](const Execution&) {
    return csr_from_coo(span_of(row_ids), span_of(col_ids), span_of(entries), shape.first, shape.second, rule);
  }));
}

py::tuple transpose_(const py::tuple& matrix) {
  const CsrArgument argument(matrix, "matrix");
  return to_python(run_released(1, py::none(), [&](const Execution& execution) {
    const CsrView view = argument.view();
    validate(view, "matrix", execution);
    return transpose(view, execution);
  }));
}

void validate_(const py::tuple& matrix, const std::string& argument_name) {
  const CsrArgument argument(matrix, argument_name.c_str());
  run_released(1, py::none(), [&](const Execution& execution) {
    validate(argument.view(), argument_name, execution);
    return 0;
  });
}

}  // namespace

void register_csr(py::module_& module) {
  module.def("csr_from_coo", &csr_from_coo_, py::arg("rows"), py::arg("cols"), py::arg("values"), py::arg("shape"),
             py::arg("duplicates") = "sum",
             "Canonical CSR (indptr, indices, values, shape) from coordinates; duplicates are merged in input order.");
  module.def("csr_transpose", &transpose_, py::arg("matrix"), "The transpose of a CSR tuple.");
  module.def("csr_validate", &validate_, py::arg("matrix"), py::arg("argument"),
             "Raises InvalidArgumentError naming `argument` unless the CSR tuple is well formed and finite.");
}

}  // namespace recocore::bindings
