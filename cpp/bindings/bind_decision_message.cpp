#include <pybind11/stl.h>

#include "module.hpp"
#include "recocore/decision_message.hpp"

namespace recocore::bindings {

namespace py = pybind11;

void register_decision_message(py::module_& module) {
  py::class_<DecisionWriter>(module, "DecisionWriter", "Makes FraudDecision messages.")
      .def(py::init<const std::map<std::string, std::uint64_t>&>(), py::arg("numbers"))
      .def(
          "write",
          [](const DecisionWriter& writer, const py::bytes& packed) {
            return py::bytes(writer.write(std::string_view(packed)));
          },
          py::arg("packed"),
          "The wire format of a FraudDecision, of a decision in MessagePack by the names of its attributes.");
}

}  // namespace recocore::bindings
