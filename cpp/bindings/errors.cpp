#include <pybind11/pybind11.h>

#include <string>

#include "module.hpp"
#include "recocore/error.hpp"

namespace recocore::bindings {

namespace py = pybind11;

void register_errors(py::module_&) {
  // recocore.errors owns the one table from code to exception; this looks the class up there.
  py::register_local_exception_translator([](std::exception_ptr pointer) {
    try {
      if (pointer) std::rethrow_exception(pointer);
    } catch (const Error& error) {
      const py::object table = py::module_::import("recocore.errors").attr("EXCEPTION_BY_CODE");
      const py::object exception = table[py::str(std::string(to_string(error.code())))];
      py::set_error(exception, error.what());
    }
  });
}

}  // namespace recocore::bindings
