#include "arrays.hpp"
#include "execution.hpp"
#include "module.hpp"
#include "recocore/finite_values.hpp"

namespace recocore::bindings {
namespace {

bool all_finite_(const py::object& values, int num_threads) {
  const auto array = checked<float>(values, "values", 1);
  return run_released(num_threads, py::none(),
                      [&](const Execution& execution) { return all_finite(span_of(array), execution); });
}

}  // namespace

void register_finite_values(py::module_& module) {
  module.def("all_finite", &all_finite_, py::arg("values"), py::arg("num_threads") = 0,
             "Whether no float32 value is NaN or infinite.");
}

}  // namespace recocore::bindings
