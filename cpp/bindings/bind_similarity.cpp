#include <pybind11/stl.h>

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "arrays.hpp"
#include "device_array.hpp"
#include "execution.hpp"
#include "module.hpp"
#include "recocore/similarity.hpp"

namespace recocore::bindings {
namespace {

py::tuple similarity_(const py::tuple& matrix, const std::string& kind, std::optional<std::int64_t> k, double shrinkage,
                      std::int64_t min_support, std::optional<float> threshold, bool include_self, double alpha,
                      double beta, double k1, double b, const py::object& rows, int num_threads,
                      const py::object& progress, const std::string& device, const std::optional<CudaStream>& stream) {
  const CsrArgument argument(matrix, "matrix");
  const SimilarityParams params{similarity_kind(kind), k,     shrinkage, min_support, threshold,
                                include_self,          alpha, beta,      k1,          b};
  std::optional<py::array_t<std::int32_t>> row_array;
  std::optional<std::span<const std::int32_t>> row_span;
  if (!rows.is_none()) row_span = span_of(row_array.emplace(checked<std::int32_t>(rows, "rows", 1)));
  return to_python(run_released(execution_on(device, stream, num_threads), progress, [&](const Execution& execution) {
    return similarity(argument.view(), params, execution, row_span);
  }));
}

std::vector<std::string> similarity_kinds() {
  const auto names = similarity_kind_names();
  return {names.begin(), names.end()};
}

}  // namespace

void register_similarity(py::module_& module) {
  const SimilarityParams defaults;
  module.def("similarity", &similarity_, py::arg("matrix"), py::arg("kind"), py::kw_only(), py::arg("k") = defaults.k,
             py::arg("shrinkage") = defaults.shrinkage, py::arg("min_support") = defaults.min_support,
             py::arg("threshold") = py::none(), py::arg("include_self") = defaults.include_self,
             py::arg("alpha") = defaults.alpha, py::arg("beta") = defaults.beta, py::arg("k1") = defaults.k1,
             py::arg("b") = defaults.b, py::arg("rows") = py::none(), py::arg("num_threads") = 0,
             py::arg("progress") = py::none(), py::arg("device") = "cpu", py::arg("stream") = py::none(),
             "The k rows most like each row (or each of `rows`) of a canonical CSR tuple, as a CSR tuple with columns "
             "rising.");
  module.def("similarity_kinds", &similarity_kinds, "The names of the similarity kinds.");
}

}  // namespace recocore::bindings
