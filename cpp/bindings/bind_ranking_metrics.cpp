#include <pybind11/stl.h>

#include <optional>
#include <string>
#include <vector>

#include "arrays.hpp"
#include "execution.hpp"
#include "module.hpp"
#include "recocore/list_diversity.hpp"
#include "recocore/ranking_metrics.hpp"

namespace recocore::bindings {
namespace {

/// Ranked lists of Python and their memory; scores may be None.
struct ListsArgument {
  ListsArgument(const py::object& users_, const py::object& ids_, const py::object& scores_)
      : users(checked<std::int32_t>(users_, "users", 1)), ids(checked<std::int32_t>(ids_, "ids", 2)) {
    if (!scores_.is_none()) scores = checked<float>(scores_, "scores", 2);
  }

  [[nodiscard]] RankedLists view() const {
    return {span_of(users), matrix_of(ids), scores ? matrix_of(*scores) : MatrixView<const float>{}};
  }

  py::array_t<std::int32_t> users;
  py::array_t<std::int32_t> ids;
  std::optional<py::array_t<float>> scores;
};

py::array ranking_metrics_(const py::object& users, const py::object& ids, const py::tuple& relevant,
                           const std::vector<std::string>& metrics, const std::vector<std::int64_t>& cutoffs,
                           const py::object& scores, const std::string& gain, bool average_ties, int num_threads,
                           const py::object& progress) {
  const ListsArgument lists(users, ids, scores);
  const CsrArgument truth(relevant, "relevant");
  RankingMetricsParams params{{}, cutoffs, gain_from(gain), average_ties};
  for (const std::string& name : metrics) params.metrics.push_back(ranking_metric_from(name));
  auto values = run_released(num_threads, progress, [&](const Execution& execution) {
    return ranking_metrics(lists.view(), truth.view(), params, execution);
  });
  const std::vector<py::ssize_t> shape{std::ssize(metrics), std::ssize(cutoffs), lists.ids.shape(0)};
  return to_numpy(std::move(values)).reshape(shape);
}

py::array_t<double> ranking_auc_(const py::object& users, const py::object& ids, const py::object& scores,
                                 const py::tuple& relevant, const std::optional<py::tuple>& excluded, int num_threads,
                                 const py::object& progress) {
  const ListsArgument lists(users, ids, scores);
  const CsrArgument truth(relevant, "relevant");
  std::optional<CsrArgument> barred;
  if (excluded) barred.emplace(*excluded, "excluded");
  return to_numpy(run_released(num_threads, progress, [&](const Execution& execution) {
    const CsrPattern pattern = barred ? barred->pattern() : CsrPattern{};
    return ranking_auc(lists.view(), truth.view(), barred ? &pattern : nullptr, execution);
  }));
}

py::array list_diversity_(const py::object& ids, const py::object& vectors, const std::vector<std::int64_t>& cutoffs,
                          int num_threads, const py::object& progress) {
  const auto lists = checked<std::int32_t>(ids, "ids", 2);
  const auto compute = [&](const auto& view) {
    return run_released(num_threads, progress, [&](const Execution& execution) {
      return list_diversity(matrix_of(lists), view(), cutoffs, execution);
    });
  };
  std::vector<double> values;
  if (py::isinstance<py::tuple>(vectors)) {
    const CsrArgument sparse(py::reinterpret_borrow<py::tuple>(vectors), "item_vectors");
    values = compute([&] { return sparse.view(); });
  } else {
    const auto dense = checked<float>(vectors, "item_vectors", 2);
    values = compute([&] { return matrix_of(dense); });
  }
  const std::vector<py::ssize_t> shape{std::ssize(cutoffs), lists.shape(0)};
  return to_numpy(std::move(values)).reshape(shape);
}

}  // namespace

void register_ranking_metrics(py::module_& module) {
  module.def("ranking_metrics", &ranking_metrics_, py::arg("users"), py::arg("ids"), py::arg("relevant"),
             py::arg("metrics"), py::arg("cutoffs"), py::arg("scores") = py::none(), py::arg("gain") = "linear",
             py::arg("average_ties") = false, py::arg("num_threads") = 0, py::arg("progress") = py::none(),
             "float64 [metrics, cutoffs, n]: every metric of every list at every cutoff.");
  module.def("ranking_auc", &ranking_auc_, py::arg("users"), py::arg("ids"), py::arg("scores"), py::arg("relevant"),
             py::arg("excluded") = py::none(), py::arg("num_threads") = 0, py::arg("progress") = py::none(),
             "float64 [n]: the area under the ROC curve of every list; items that a list lacks tie below it.");
  module.def("list_diversity", &list_diversity_, py::arg("ids"), py::arg("vectors"), py::arg("cutoffs"),
             py::arg("num_threads") = 0, py::arg("progress") = py::none(),
             "float64 [cutoffs, n]: 1 - mean pairwise cosine; vectors are float32 [items, d] or a CSR tuple.");
}

}  // namespace recocore::bindings
