#include <string>

#include "arrays.hpp"
#include "execution.hpp"
#include "module.hpp"
#include "recocore/als.hpp"

namespace recocore::bindings {
namespace {

AlsSolver solver_from(const std::string& name) {
  if (name == "auto") return AlsSolver::automatic;
  if (name == "cholesky") return AlsSolver::cholesky;
  if (name == "cg") return AlsSolver::cg;
  if (name == "subspace") return AlsSolver::subspace;
  throw Error(ErrorCode::invalid_argument, "solver: expected auto, cholesky, cg or subspace, got \"" + name + "\"");
}

AlsParams params_from(float regularization, float alpha0, float nu, const std::string& solver) {
  AlsParams params;
  params.regularization = regularization;
  params.alpha0 = alpha0;
  params.nu = nu;
  params.solver = solver_from(solver);
  return params;
}

void als_half_epoch_(const py::tuple& interactions, const py::object& fixed, const py::object& solved,
                     float regularization, float alpha0, float nu, const std::string& solver, int num_threads,
                     const py::object& progress) {
  const CsrArgument argument(interactions, "interactions");
  const auto fixed_factors = checked<float>(fixed, "fixed", 2);
  auto solved_factors = checked<float>(solved, "solved", 2);
  const AlsParams params = params_from(regularization, alpha0, nu, solver);
  const auto out = mutable_matrix_of(solved_factors);
  run_released(num_threads, progress, [&](const Execution& execution) {
    als_half_epoch(argument.view(), matrix_of(fixed_factors), out, params, execution);
    return 0;
  });
}

double als_objective_(const py::tuple& interactions, const py::object& row_factors, const py::object& col_factors,
                      float regularization, float alpha0, float nu, int num_threads) {
  const CsrArgument argument(interactions, "interactions");
  const auto rows = checked<float>(row_factors, "row_factors", 2);
  const auto cols = checked<float>(col_factors, "col_factors", 2);
  const AlsParams params = params_from(regularization, alpha0, nu, "auto");
  return run_released(num_threads, py::none(), [&](const Execution& execution) {
    return als_objective(argument.view(), matrix_of(rows), matrix_of(cols), params, execution);
  });
}

py::array_t<float> gram_(const py::object& factors, int num_threads) {
  const auto matrix = checked<float>(factors, "factors", 2);
  py::array_t<float> result({matrix.shape(1), matrix.shape(1)});
  const auto out = mutable_matrix_of(result);
  run_released(num_threads, py::none(), [&](const Execution& execution) {
    gram(matrix_of(matrix), out, execution);
    return 0;
  });
  return result;
}

}  // namespace

void register_als(py::module_& module) {
  module.def("als_half_epoch", &als_half_epoch_, py::arg("interactions"), py::arg("fixed"), py::arg("solved"),
             py::arg("regularization"), py::arg("alpha0"), py::arg("nu"), py::arg("solver"), py::arg("num_threads") = 0,
             py::arg("progress") = py::none(), "Solves every row of `solved` in place with `fixed` held.");
  module.def("als_objective", &als_objective_, py::arg("interactions"), py::arg("row_factors"), py::arg("col_factors"),
             py::arg("regularization"), py::arg("alpha0"), py::arg("nu"), py::arg("num_threads") = 0,
             "The value of the ALS objective, summed in float64.");
  module.def("gram", &gram_, py::arg("factors"), py::arg("num_threads") = 0, "factors.T @ factors, float32 [f, f].");
}

}  // namespace recocore::bindings
