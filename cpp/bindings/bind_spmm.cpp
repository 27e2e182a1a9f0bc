#include <pybind11/stl.h>

#include <optional>
#include <string>

#include "arrays.hpp"
#include "device_array.hpp"
#include "execution.hpp"
#include "module.hpp"
#include "recocore/memory.hpp"
#include "recocore/spmm.hpp"

namespace recocore::bindings {
namespace {

py::object spmm_(const py::tuple& matrix, const py::object& dense, int num_threads, const py::object& progress,
                 const std::string& device, const std::optional<CudaStream>& stream) {
  const CsrArgument sparse(matrix, "matrix");
  if (is_on_device(dense)) {
    const DeviceMatrixArgument factors(dense, "dense");
    const Execution wanted = execution_with(device, stream, {&factors});
    DeviceArray out({sparse.pattern().rows, factors.view().cols}, 'f', *wanted.stream);
    run_released(wanted, progress, [&](const Execution& execution) {
      spmm(sparse.view(), factors.const_view(), out.matrix<float>(), execution);
      return 0;
    });
    return py::cast(std::move(out));
  }
  const auto factors = checked_rows<float>(dense, "dense");
  require(sparse.pattern().rows >= 0, [] { return std::string("matrix: expected a shape with rows >= 0"); });
  MemoryBudget("spmm").take(sparse.pattern().rows, factors.shape(1) * 4, "multiply fewer rows at once");
  py::array_t<float> out({static_cast<py::ssize_t>(sparse.pattern().rows), factors.shape(1)});
  const auto view = mutable_matrix_of(out);
  run_released(execution_on(device, stream, num_threads), progress, [&](const Execution& execution) {
    spmm(sparse.view(), matrix_of(factors), view, execution);
    return 0;
  });
  return out;
}

}  // namespace

void register_spmm(py::module_& module) {
  module.def("spmm", &spmm_, py::arg("matrix"), py::arg("dense"), py::arg("num_threads") = 0,
             py::arg("progress") = py::none(), py::arg("device") = "cpu", py::arg("stream") = py::none(),
             "A CSR tuple times float32 [cols, f]: float32 [rows, f], on the device where `dense` is.");
}

}  // namespace recocore::bindings
