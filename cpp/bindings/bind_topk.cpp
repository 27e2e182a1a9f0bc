#include "arrays.hpp"
#include "execution.hpp"
#include "filter_argument.hpp"
#include "module.hpp"
#include "recocore/memory.hpp"
#include "recocore/topk.hpp"

namespace recocore::bindings {
namespace {

py::tuple topk_(const py::object& queries, const py::object& items, std::int64_t k, const py::object& exclude,
                const py::object& block, const py::object& allow, int num_threads, const py::object& progress) {
  const auto query_matrix = checked<float>(queries, "queries", 2);
  const auto item_matrix = checked<float>(items, "items", 2);
  const FilterArgument candidates(exclude, block, allow);
  require(k >= 0 && k <= INT32_MAX, [&] { return "k: expected 0 to 2**31 - 1, got " + std::to_string(k); });
  MemoryBudget("topk").take(query_matrix.shape(0), k * 8, "lower k or ask for fewer queries at once");
  py::array_t<std::int32_t> ids({query_matrix.shape(0), static_cast<py::ssize_t>(k)});
  py::array_t<float> scores({query_matrix.shape(0), static_cast<py::ssize_t>(k)});
  const auto ids_out = mutable_matrix_of(ids);
  const auto scores_out = mutable_matrix_of(scores);
  run_released(num_threads, progress, [&](const Execution& execution) {
    topk(matrix_of(query_matrix), matrix_of(item_matrix), candidates.filter(), ids_out, scores_out, execution);
    return 0;
  });
  return py::make_tuple(ids, scores);
}

py::array_t<float> score_all_(const py::object& queries, const py::object& items, int num_threads) {
  const auto query_matrix = checked<float>(queries, "queries", 2);
  const auto item_matrix = checked<float>(items, "items", 2);
  MemoryBudget("score_all").take(query_matrix.shape(0), item_matrix.shape(0) * 4, "score fewer queries at once");
  py::array_t<float> scores({query_matrix.shape(0), item_matrix.shape(0)});
  const auto out = mutable_matrix_of(scores);
  run_released(num_threads, py::none(), [&](const Execution& execution) {
    score_all(matrix_of(query_matrix), matrix_of(item_matrix), out, execution);
    return 0;
  });
  return scores;
}

}  // namespace

void register_topk(py::module_& module) {
  module.def("topk", &topk_, py::arg("queries"), py::arg("items"), py::arg("k"), py::kw_only(),
             py::arg("exclude") = py::none(), py::arg("block") = py::none(), py::arg("allow") = py::none(),
             py::arg("num_threads") = 0, py::arg("progress") = py::none(),
             "(ids, scores) [n, k] of the items with the largest inner product that pass the filter.");
  module.def("score_all", &score_all_, py::arg("queries"), py::arg("items"), py::arg("num_threads") = 0,
             "The inner product of each query with each item, float32 [n, m].");
}

}  // namespace recocore::bindings
