#include <pybind11/stl.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "arrays.hpp"
#include "device_array.hpp"
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

AlsLoss loss_from(const std::string& name) {
  if (name == "ials") return AlsLoss::ials;
  if (name == "original") return AlsLoss::original;
  if (name == "explicit") return AlsLoss::ratings;
  throw Error(ErrorCode::invalid_argument, "loss: expected ials, original or explicit, got \"" + name + "\"");
}

/// Checked interactions, and the arrays that they lie in.
class HeldInteractions {
 public:
  HeldInteractions(const py::tuple& arrays, const py::object& weights)
      : argument_(arrays, "interactions"),
        weights_(weights.is_none() ? py::array_t<float>(0) : checked<float>(weights, "weights", 1)),
        interactions_([this] {
          const CsrView view = argument_.view();
          const auto of_entries = span_of(weights_);
          return run_released(1, py::none(),
                              [&](const Execution& execution) { return AlsInteractions(view, of_entries, execution); });
        }()) {}

  [[nodiscard]] const AlsInteractions& interactions() const noexcept { return interactions_; }

 private:
  CsrArgument argument_;
  py::array_t<float> weights_;
  AlsInteractions interactions_;
};

/// What a half-epoch is given besides, and the arrays that it lies in; None is what is not there.
class HeldGiven {
 public:
  HeldGiven(const py::object& offsets, const py::object& counted, const py::object& prior)
      : offsets_(offsets.is_none() ? py::array_t<float>(0) : checked<float>(offsets, "offsets", 1)),
        counted_(counted.is_none() ? py::array_t<std::int32_t>(0) : checked<std::int32_t>(counted, "counted", 1)) {
    if (!prior.is_none()) {
      const auto [features, weights] = prior.cast<std::pair<py::tuple, py::object>>();
      features_.emplace(features, "features");
      weights_ = checked<float>(weights, "feature_weights", 2);
      prior_ = AlsPrior{features_->view(), matrix_of(weights_)};
    }
  }

  [[nodiscard]] AlsGiven given() const {
    return {span_of(offsets_), span_of(counted_), features_.has_value() ? &prior_ : nullptr, {}, false};
  }

 private:
  py::array_t<float> offsets_;
  py::array_t<std::int32_t> counted_;
  std::optional<CsrArgument> features_;
  py::array_t<float> weights_;
  AlsPrior prior_;
};

py::tuple to_python(const AlsReport& report) {
  return py::make_tuple(report.empty, report.primal, report.dual, report.cg, report.subspace, report.flops);
}

/// What becomes of the fixed factors; `fixed` may be changed where they are not kept.
void take_fixed_use(const std::string& use, py::array_t<float>& fixed, AlsGiven& given) {
  if (use == "kept") return;
  if (use != "restored" && use != "spent")
    throw Error(ErrorCode::invalid_argument, "fixed_use: expected kept, restored or spent, got \"" + use + "\"");
  given.turned = mutable_matrix_of(fixed);
  given.is_spent = use == "spent";
}

py::tuple als_half_epoch_(const HeldInteractions& interactions, const py::object& fixed, const py::object& solved,
                          const AlsParams& params, int num_threads, const py::object& progress,
                          const py::object& offsets, const py::object& counted, const py::object& prior,
                          const std::string& device, const std::optional<CudaStream>& stream,
                          const std::string& fixed_use) {
  if (is_on_device(fixed) || is_on_device(solved)) {
    const DeviceMatrixArgument fixed_matrix(fixed, "fixed");
    const DeviceMatrixArgument solved_matrix(solved, "solved");
    const HeldGiven held(offsets, counted, prior);
    const AlsGiven given = held.given();
    return to_python(run_released(execution_with(device, stream, {&solved_matrix, &fixed_matrix}), progress,
                                  [&](const Execution& execution) {
                                    return als_half_epoch(interactions.interactions(), fixed_matrix.const_view(),
                                                          solved_matrix.view(), params, execution, given);
                                  }));
  }
  auto fixed_factors = checked_rows<float>(fixed, "fixed");
  auto solved_factors = checked_rows<float>(solved, "solved");
  const auto out = mutable_matrix_of(solved_factors);
  const HeldGiven held(offsets, counted, prior);
  AlsGiven given = held.given();
  take_fixed_use(fixed_use, fixed_factors, given);
  return to_python(run_released(execution_on(device, stream, num_threads), progress, [&](const Execution& execution) {
    return als_half_epoch(interactions.interactions(), matrix_of(fixed_factors), out, params, execution, given);
  }));
}

double als_objective_(const HeldInteractions& interactions, const py::object& row_factors,
                      const py::object& col_factors, const AlsParams& params, int num_threads,
                      const py::object& progress, const py::object& offsets, const std::string& device,
                      const std::optional<CudaStream>& stream) {
  const HeldGiven held(offsets, py::none(), py::none());
  if (is_on_device(row_factors) || is_on_device(col_factors)) {
    const DeviceMatrixArgument rows(row_factors, "row_factors");
    const DeviceMatrixArgument cols(col_factors, "col_factors");
    return run_released(execution_with(device, stream, {&rows, &cols}), progress, [&](const Execution& execution) {
      return als_objective(interactions.interactions(), rows.const_view(), cols.const_view(), params, execution,
                           held.given().offsets);
    });
  }
  const auto rows = checked<float>(row_factors, "row_factors", 2);
  const auto cols = checked<float>(col_factors, "col_factors", 2);
  return run_released(execution_on(device, stream, num_threads), progress, [&](const Execution& execution) {
    return als_objective(interactions.interactions(), matrix_of(rows), matrix_of(cols), params, execution,
                         held.given().offsets);
  });
}

py::object gram_(const py::object& factors, int num_threads, const std::string& device,
                 const std::optional<CudaStream>& stream) {
  if (is_on_device(factors)) {
    const DeviceMatrixArgument matrix(factors, "factors");
    const Execution wanted = execution_with(device, stream, {&matrix});
    DeviceArray result({matrix.view().cols, matrix.view().cols}, 'f', *wanted.stream);
    run_released(wanted, py::none(), [&](const Execution& execution) {
      gram(matrix.const_view(), result.matrix<float>(), execution);
      return 0;
    });
    return py::cast(std::move(result));
  }
  const auto matrix = checked<float>(factors, "factors", 2);
  py::array_t<float> result({matrix.shape(1), matrix.shape(1)});
  const auto out = mutable_matrix_of(result);
  run_released(execution_on(device, stream, num_threads), py::none(), [&](const Execution& execution) {
    gram(matrix_of(matrix), out, execution);
    return 0;
  });
  return result;
}

}  // namespace

void register_als(py::module_& module) {
  py::class_<HeldInteractions>(module, "AlsInteractions",
                               "Interactions checked once for many steps; the arrays must not be changed.")
      .def(py::init<const py::tuple&, const py::object&>(), py::arg("interactions"), py::arg("weights") = py::none());
  py::class_<AlsParams>(module, "AlsParams", "The parameters of the ALS objective and its solver.")
      .def(py::init([](float regularization, float alpha0, float nu, const std::string& loss, const std::string& solver,
                       int cg_steps, int block_size, float negative_preference) {
             return AlsParams{regularization,      alpha0,   nu,         loss_from(loss),
                              solver_from(solver), cg_steps, block_size, negative_preference};
           }),
           py::arg("regularization"), py::arg("alpha0"), py::arg("nu"), py::arg("loss") = "ials",
           py::arg("solver") = "auto", py::arg("cg_steps") = 3, py::arg("block_size") = 64,
           py::arg("negative_preference") = 0.0F);
  module.def("als_half_epoch", &als_half_epoch_, py::arg("interactions"), py::arg("fixed"), py::arg("solved"),
             py::arg("params"), py::arg("num_threads") = 0, py::arg("progress") = py::none(),
             py::arg("offsets") = py::none(), py::arg("counted") = py::none(), py::arg("prior") = py::none(),
             py::arg("device") = "cpu", py::arg("stream") = py::none(), py::arg("fixed_use") = "kept",
             "Solves every row of `solved` in place with `fixed` held; returns the rows solved each way (empty, "
             "primal, dual, cg, subspace), and the flops.");
  module.def("als_objective", &als_objective_, py::arg("interactions"), py::arg("row_factors"), py::arg("col_factors"),
             py::arg("params"), py::arg("num_threads") = 0, py::arg("progress") = py::none(),
             py::arg("offsets") = py::none(), py::arg("device") = "cpu", py::arg("stream") = py::none(),
             "The value of the ALS objective, summed in float64.");
  module.def("als_half_epoch_bytes", &als_half_epoch_bytes, py::arg("rows"), py::arg("cols"), py::arg("factors"),
             py::arg("num_threads") = 0, py::arg("in_place") = false,
             "The bytes that a half-epoch takes beside its arguments.");
  module.def("gram", &gram_, py::arg("factors"), py::arg("num_threads") = 0, py::arg("device") = "cpu",
             py::arg("stream") = py::none(), "factors.T @ factors, float32 [f, f].");
}

}  // namespace recocore::bindings
