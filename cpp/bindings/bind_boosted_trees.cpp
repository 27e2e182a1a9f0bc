#include "recocore/boosted_trees.hpp"

#include "arrays.hpp"
#include "execution.hpp"
#include "module.hpp"

namespace recocore::bindings {
namespace {

template <typename T>
std::vector<T> vector_of(const py::object& object, const char* argument) {
  const auto array = checked<T>(object, argument, 1);
  const auto span = span_of(array);
  return {span.begin(), span.end()};
}

BoostedTrees make_trees(const py::object& roots, const py::object& feature, const py::object& threshold,
                        const py::object& left, const py::object& right, const py::object& missing_left,
                        const py::object& value, std::int64_t features, double baseline) {
  return {{vector_of<std::int32_t>(roots, "roots"), vector_of<std::int32_t>(feature, "feature"),
           vector_of<double>(threshold, "threshold"), vector_of<std::int32_t>(left, "left"),
           vector_of<std::int32_t>(right, "right"), vector_of<std::uint8_t>(missing_left, "missing_left"),
           vector_of<double>(value, "value")},
          features,
          baseline};
}

py::array_t<double> score(const BoostedTrees& trees, const py::object& rows, int num_threads) {
  const auto array = checked<double>(rows, "rows", 2);
  return to_numpy(run_released(num_threads, py::none(),
                               [&](const Execution& execution) { return trees.score(matrix_of(array), execution); }));
}

py::array_t<double> explain(const BoostedTrees& trees, const py::object& rows, int num_threads) {
  const auto array = checked<double>(rows, "rows", 2);
  auto parts = to_numpy(run_released(
      num_threads, py::none(), [&](const Execution& execution) { return trees.explain(matrix_of(array), execution); }));
  return parts.reshape({array.shape(0), static_cast<py::ssize_t>(trees.features())});
}

}  // namespace

void register_boosted_trees(py::module_& module) {
  py::class_<BoostedTrees>(module, "BoostedTrees", "Regression trees whose values are added up, as flat arrays.")
      .def(py::init(&make_trees), py::kw_only(), py::arg("roots"), py::arg("feature"), py::arg("threshold"),
           py::arg("left"), py::arg("right"), py::arg("missing_left"), py::arg("value"), py::arg("features"),
           py::arg("baseline"))
      .def("score", &score, py::arg("rows"), py::arg("num_threads") = 0, "float64 [n]: baseline and leaves, added up.")
      .def("explain", &explain, py::arg("rows"), py::arg("num_threads") = 0,
           "float64 [n, features]: what each feature adds on the paths.");
}

}  // namespace recocore::bindings
