#include "arrays.hpp"
#include "execution.hpp"
#include "module.hpp"
#include "recocore/bootstrap.hpp"

namespace recocore::bindings {
namespace {

py::array_t<double> resampled_means_(const py::object& values, std::int64_t samples, std::uint64_t seed,
                                     int num_threads, const py::object& progress) {
  const auto array = checked<double>(values, "values", 1);
  return to_numpy(run_released(num_threads, progress, [&](const Execution& execution) {
    return resampled_means(span_of(array), samples, seed, execution);
  }));
}

}  // namespace

void register_bootstrap(py::module_& module) {
  module.def("resampled_means", &resampled_means_, py::arg("values"), py::arg("samples"), py::arg("seed"),
             py::arg("num_threads") = 0, py::arg("progress") = py::none(),
             "float64 [samples]: the mean of each bootstrap resample of float64 values.");
}

}  // namespace recocore::bindings
