#include <optional>
#include <vector>

#include "arrays.hpp"
#include "module.hpp"
#include "recocore/positive_definite.hpp"

namespace recocore::bindings {
namespace {

py::object solve_positive_definite_(const py::object& matrix, const py::object& right) {
  const auto a = checked<double>(matrix, "matrix", 2);
  const auto b = checked<double>(right, "right", 1);
  if (a.shape(0) != a.shape(1) || a.shape(0) != b.size())
    throw Error(ErrorCode::invalid_argument, "matrix: expected [" + std::to_string(b.size()) + ", " +
                                                 std::to_string(b.size()) + "] as right has rows, got [" +
                                                 std::to_string(a.shape(0)) + ", " + std::to_string(a.shape(1)) + "]");
  std::optional<std::vector<double>> found;
  {
    const py::gil_scoped_release released;
    found = solve_positive_definite(matrix_of(a), span_of(b));
  }
  if (!found) return py::none();
  return to_numpy(std::move(*found));
}

}  // namespace

void register_positive_definite(py::module_& module) {
  module.def("solve_positive_definite", &solve_positive_definite_, py::arg("matrix"), py::arg("right"),
             "float64 [n]: the solution of a symmetric positive definite system; None where the matrix is none.");
}

}  // namespace recocore::bindings
