#include <map>
#include <string>
#include <variant>
#include <vector>

#include "kernels/dense/kernel.hpp"
#include "kernels/float64/kernel.hpp"
#include "kernels/forest/kernel.hpp"
#include "kernels/least_squares/kernel.hpp"
#include "kernels/pairs/kernel.hpp"
#include "kernels/scan/kernel.hpp"
#include "module.hpp"
#include "recocore/device.hpp"
#include "recocore/memory.hpp"
#include "recocore/thread_pool.hpp"

#include <pybind11/stl.h>

namespace recocore::bindings {

namespace py = pybind11;

void register_device(py::module_& module) {
  module.def(
      "supported_isas",
      [] {
        std::vector<std::string> names;
        for (const Isa isa : supported_isas()) names.emplace_back(to_string(isa));
        return names;
      },
      "The instruction sets that kernels exist for and this machine runs, plainest first.");
  module.def(
      "active_isa", [] { return std::string(to_string(active_isa())); },
      "The best instruction set that this machine runs, or the one that RECOCORE_FORCE_ISA forces.");
  module.def(
      "kernel_isas",
      [] {
        return std::map<std::string, std::string>{
            {"dense", kernels::dense().isa},   {"float64", kernels::float64().isa},
            {"forest", kernels::forest().isa}, {"least_squares", kernels::least_squares().isa},
            {"pairs", kernels::pairs().isa},   {"scan", kernels::scan().isa}};
      },
      "What the chosen kernels of each family were compiled for: active_isa, or less where it brings a family "
      "nothing.");
  module.def("available_cores", &available_cores, "The number of cores that this process may run on.");
  module.def(
      "require_memory",
      [](std::int64_t bytes, const std::string& purpose, const std::string& next_step) {
        MemoryBudget(purpose).take(bytes, next_step);
      },
      py::arg("bytes"), py::arg("purpose"), py::arg("next_step"),
      "Raises OutOfMemoryError where this many bytes are more than what is free; nothing is allocated.");
  module.def("built_with_cuda", &built_with_cuda, "Whether this build has the CUDA operations.");
  module.def(
      "cuda_device",
      [] {
        const CudaDevice found = cuda_device();
        return std::map<std::string, std::variant<std::string, std::int64_t>>{
            {"name", found.name},
            {"capability", found.capability},
            {"memory", found.memory},
            {"free_memory", found.free_memory},
            {"multiprocessors", std::int64_t{found.multiprocessors}}};
      },
      "What the present CUDA device is; raises UnsupportedError, saying how to get one, where there is none.");
  module.def("cuda_device_count", &cuda_device_count, "The number of usable CUDA devices; 0 without CUDA.");
}

}  // namespace recocore::bindings
