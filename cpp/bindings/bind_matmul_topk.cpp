#include <pybind11/stl.h>

#include <optional>
#include <span>

#include "arrays.hpp"
#include "device_array.hpp"
#include "execution.hpp"
#include "filter_argument.hpp"
#include "module.hpp"
#include "recocore/matmul_topk.hpp"
#include "recocore/memory.hpp"

namespace recocore::bindings {
namespace {

py::tuple matmul_topk_(const py::tuple& a, const py::tuple& b, std::optional<std::int64_t> k,
                       std::optional<float> threshold, int num_threads, const py::object& progress,
                       const std::string& device, const std::optional<CudaStream>& stream) {
  const CsrArgument left(a, "a");
  const CsrArgument right(b, "b");
  return to_python(run_released(execution_on(device, stream, num_threads), progress, [&](const Execution& execution) {
    return matmul_topk(left.view(), right.view(), {k, threshold}, execution);
  }));
}

py::tuple matmul_topk_padded_(const py::tuple& a, const py::object& a_rows, const py::tuple& b, std::int64_t k,
                              const py::object& exclude, const py::object& block, const py::object& allow,
                              int num_threads, const py::object& progress) {
  const CsrArgument left(a, "a");
  const CsrArgument right(b, "b");
  const FilterArgument candidates(exclude, block, allow);
  std::optional<py::array_t<std::int32_t>> rows;
  std::optional<std::span<const std::int32_t>> row_span;
  if (!a_rows.is_none()) row_span = span_of(rows.emplace(checked<std::int32_t>(a_rows, "a_rows", 1)));
  require(k >= 1 && k <= INT32_MAX,
          [&] { return "k: expected at least 1 and less than 2**31, got " + std::to_string(k); });

  const std::int64_t n_queries = row_span ? std::ssize(*row_span) : left.pattern().rows;
  require(n_queries >= 0, [&] { return "a: expected a shape with rows >= 0, got " + std::to_string(n_queries); });
  MemoryBudget("matmul_topk").take(n_queries, k * 8, "lower k or ask for fewer rows at once");
  py::array_t<std::int32_t> ids({n_queries, k});
  py::array_t<float> scores({n_queries, k});
  run_released(
      num_threads, progress,
      [&, out_ids = mutable_matrix_of(ids), out_scores = mutable_matrix_of(scores)](const Execution& execution) {
        matmul_topk_padded(left.view(), row_span, right.view(), candidates.filter(), out_ids, out_scores, execution);
        return 0;
      });
  return py::make_tuple(std::move(ids), std::move(scores));
}

}  // namespace

void register_matmul_topk(py::module_& module) {
  module.def("matmul_topk", &matmul_topk_, py::arg("a"), py::arg("b"), py::arg("k"), py::kw_only(),
             py::arg("threshold") = py::none(), py::arg("num_threads") = 0, py::arg("progress") = py::none(),
             py::arg("device") = "cpu", py::arg("stream") = py::none(),
             "The k largest entries of each row of the product of two CSR tuples, as a CSR tuple with columns rising.");
  module.def("matmul_topk_padded", &matmul_topk_padded_, py::arg("a"), py::arg("a_rows"), py::arg("b"), py::arg("k"),
             py::kw_only(), py::arg("exclude") = py::none(), py::arg("block") = py::none(),
             py::arg("allow") = py::none(), py::arg("num_threads") = 0, py::arg("progress") = py::none(),
             "(ids int32, scores float32) [queries, k]: the best admitted entries of rows of the product, best first, "
             "padded with -1 and -inf.");
}

}  // namespace recocore::bindings
