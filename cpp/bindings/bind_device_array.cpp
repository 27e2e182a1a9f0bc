#include <pybind11/stl.h>

#include "device_array.hpp"
#include "module.hpp"

namespace recocore::bindings {

void register_device_array(py::module_& module) {
  py::class_<DeviceArray>(module, "DeviceArray",
                          "float32 or int32 on the CUDA device; CuPy and torch take it as it is.")
      .def_static("from_host", &DeviceArray::from_host, py::arg("array"), py::arg("stream") = 0,
                  "A copy of a C-contiguous NumPy array.")
      .def("to_host", &DeviceArray::to_host, "A copy as a NumPy array.")
      .def_property_readonly(
          "shape", [](const DeviceArray& self) { return py::tuple(py::cast(self.shape())); }, "The lengths.")
      .def_property_readonly("__cuda_array_interface__", &DeviceArray::interface)
      .def("__dlpack__", [](const py::object& self, const py::kwargs&) { return DeviceArray::dlpack(self); })
      .def("__dlpack_device__", [](const DeviceArray&) { return py::make_tuple(2, 0); });
  module.def("is_on_device", &is_on_device, py::arg("value"), "Whether it is an array on a CUDA device.");
}

}  // namespace recocore::bindings
