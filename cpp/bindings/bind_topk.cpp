#include <pybind11/stl.h>

#include <string>

#include "arrays.hpp"
#include "device_array.hpp"
#include "execution.hpp"
#include "filter_argument.hpp"
#include "module.hpp"
#include "recocore/memory.hpp"
#include "recocore/topk.hpp"

namespace recocore::bindings {
namespace {

/// Items and their codes, which fit each other: packed here, or checked where they come from a file.
class PackedItems {
 public:
  static PackedItems pack(const py::object& items, int num_threads) {
    auto matrix = checked_rows<float>(items, "items");
    auto packed = run_released(num_threads, py::none(),
                               [&](const Execution& execution) { return pack_items(matrix_of(matrix), execution); });
    py::dict arrays;
    const auto m = matrix.shape(0);
    const py::ssize_t stride = packed.stride;
    arrays["order"] = to_numpy(std::move(packed.order));
    arrays["positions"] = to_numpy(std::move(packed.positions));
    arrays["codes"] = to_numpy(std::move(packed.codes)).reshape({m, stride});
    arrays["code_sums"] = to_numpy(std::move(packed.code_sums));
    arrays["inverse_scales"] = to_numpy(std::move(packed.inverse_scales));
    arrays["errors"] = to_numpy(std::move(packed.errors));
    arrays["norms"] = to_numpy(std::move(packed.norms));
    arrays["lengths"] = to_numpy(std::move(packed.lengths));
    // Somebody who changed them would change what is searched.
    for (const auto& [name, array] : arrays) array.attr("setflags")(py::arg("write") = false);
    return {std::move(matrix), arrays};
  }

  static PackedItems restore(const py::object& items, const py::dict& arrays) {
    PackedItems packed(checked_rows<float>(items, "items"), arrays);
    validate(packed.codes(), packed.items());
    return packed;
  }

  [[nodiscard]] MatrixView<const float> items() const { return matrix_of(items_); }
  [[nodiscard]] py::ssize_t size() const { return items_.shape(0); }

  [[nodiscard]] ItemCodes codes() const {
    return {span_of(order_),          span_of(positions_), matrix_of(codes_), span_of(code_sums_),
            span_of(inverse_scales_), span_of(errors_),    span_of(norms_),   span_of(lengths_)};
  }

  [[nodiscard]] py::dict arrays() const {
    py::dict arrays;
    arrays["order"] = order_;
    arrays["positions"] = positions_;
    arrays["codes"] = codes_;
    arrays["code_sums"] = code_sums_;
    arrays["inverse_scales"] = inverse_scales_;
    arrays["errors"] = errors_;
    arrays["norms"] = norms_;
    arrays["lengths"] = lengths_;
    return arrays;
  }

 private:
  PackedItems(py::array_t<float> items, const py::dict& arrays)
      : items_(std::move(items)),
        order_(take<std::int32_t>(arrays, "order", 1)),
        positions_(take<std::int32_t>(arrays, "positions", 1)),
        codes_(take<std::int8_t>(arrays, "codes", 2)),
        code_sums_(take<std::int32_t>(arrays, "code_sums", 1)),
        inverse_scales_(take<float>(arrays, "inverse_scales", 1)),
        errors_(take<float>(arrays, "errors", 1)),
        norms_(take<float>(arrays, "norms", 1)),
        lengths_(take<float>(arrays, "lengths", 1)) {}

  template <typename T>
  static py::array_t<T> take(const py::dict& arrays, const char* name, py::ssize_t dimensions) {
    require(arrays.contains(name), [&] { return "packed: expected an array \"" + std::string(name) + "\", got none"; });
    return checked<T>(arrays[name], name, dimensions);
  }

  py::array_t<float> items_;
  py::array_t<std::int32_t> order_;
  py::array_t<std::int32_t> positions_;
  py::array_t<std::int8_t> codes_;
  py::array_t<std::int32_t> code_sums_;
  py::array_t<float> inverse_scales_;
  py::array_t<float> errors_;
  py::array_t<float> norms_;
  py::array_t<float> lengths_;
};

std::optional<py::array_t<float>> floats_or_none(const py::object& object, const char* argument) {
  if (object.is_none()) return std::nullopt;
  return checked<float>(object, argument, 1);
}

template <typename Choice>
Choice chosen(const std::string& name, const char* argument,
              std::initializer_list<std::pair<const char*, Choice>> all) {
  std::string known;
  for (const auto& [word, value] : all) {
    if (name == word) return value;
    known += (known.empty() ? "" : ", ") + std::string(word);
  }
  throw Error(ErrorCode::invalid_argument,
              std::string(argument) + ": expected one of " + known + ", got \"" + name + "\"");
}

py::tuple topk_(const py::object& queries, const py::object& items, std::int64_t k, const py::object& exclude,
                const py::object& block, const py::object& allow, const std::string& metric, const py::object& biases,
                const py::object& thresholds, const std::string& precision, int num_threads, const py::object& progress,
                const std::string& device, const std::optional<CudaStream>& stream) {
  const bool on_device = is_on_device(queries) || is_on_device(items);
  const FilterArgument candidates(exclude, block, allow);
  const auto bias_array = floats_or_none(biases, "biases");
  const auto threshold_array = floats_or_none(thresholds, "thresholds");
  TopkProblem problem;
  ItemCodes codes;
  std::optional<py::array_t<float>> query_matrix;
  std::optional<py::array_t<float>> item_matrix;
  std::optional<DeviceMatrixArgument> device_queries;
  std::optional<DeviceMatrixArgument> device_items;
  Execution wanted;
  if (on_device) {
    problem.queries = device_queries.emplace(queries, "queries").const_view();
    problem.items = device_items.emplace(items, "items").const_view();
    wanted = execution_with(device, stream, {&*device_queries, &*device_items});
  } else {
    problem.queries = matrix_of(query_matrix.emplace(checked<float>(queries, "queries", 2)));
    wanted = execution_on(device, stream, num_threads);
  }
  if (!on_device && py::isinstance<PackedItems>(items)) {
    const auto& packed = items.cast<const PackedItems&>();
    problem.items = packed.items();
    codes = packed.codes();
    problem.codes = &codes;
  } else if (!on_device) {
    item_matrix = checked<float>(items, "items", 2);
    problem.items = matrix_of(*item_matrix);
  }
  problem.metric = chosen<Metric>(
      metric, "metric",
      {{"inner_product", Metric::inner_product}, {"cosine", Metric::cosine}, {"euclidean", Metric::euclidean}});
  problem.precision = chosen<Precision>(precision, "precision",
                                        {{"auto", Precision::automatic},
                                         {"float32", Precision::float32},
                                         {"float16", Precision::float16},
                                         {"bfloat16", Precision::bfloat16}});
  if (bias_array) problem.biases = span_of(*bias_array);
  if (threshold_array) problem.thresholds = span_of(*threshold_array);
  require(k >= 0 && k <= INT32_MAX, [&] { return "k: expected 0 to 2**31 - 1, got " + std::to_string(k); });
  const std::int64_t n = problem.queries.rows;
  if (on_device) {
    DeviceArray ids({n, k}, 'i', *wanted.stream);
    DeviceArray scores({n, k}, 'f', *wanted.stream);
    run_released(wanted, progress, [&](const Execution& execution) {
      topk(problem, candidates.filter(), ids.matrix<std::int32_t>(), scores.matrix<float>(), execution);
      return 0;
    });
    return py::make_tuple(std::move(ids), std::move(scores));
  }
  MemoryBudget("topk").take(n, k * 8, "lower k or ask for fewer queries at once");
  py::array_t<std::int32_t> ids({n, k});
  py::array_t<float> scores({n, k});
  const auto ids_out = mutable_matrix_of(ids);
  const auto scores_out = mutable_matrix_of(scores);
  run_released(wanted, progress, [&](const Execution& execution) {
    topk(problem, candidates.filter(), ids_out, scores_out, execution);
    return 0;
  });
  return py::make_tuple(ids, scores);
}

py::object score_all_(const py::object& queries, const py::object& items, int num_threads, const std::string& device,
                      const std::optional<CudaStream>& stream) {
  if (is_on_device(queries) || is_on_device(items)) {
    const DeviceMatrixArgument query_matrix(queries, "queries");
    const DeviceMatrixArgument item_matrix(items, "items");
    const Execution wanted = execution_with(device, stream, {&query_matrix, &item_matrix});
    DeviceArray scores({query_matrix.view().rows, item_matrix.view().rows}, 'f', *wanted.stream);
    run_released(wanted, py::none(), [&](const Execution& execution) {
      score_all(query_matrix.const_view(), item_matrix.const_view(), scores.matrix<float>(), execution);
      return 0;
    });
    return py::cast(std::move(scores));
  }
  const auto query_matrix = checked<float>(queries, "queries", 2);
  const auto item_matrix = checked<float>(items, "items", 2);
  MemoryBudget("score_all").take(query_matrix.shape(0), item_matrix.shape(0) * 4, "score fewer queries at once");
  py::array_t<float> scores({query_matrix.shape(0), item_matrix.shape(0)});
  const auto out = mutable_matrix_of(scores);
  run_released(execution_on(device, stream, num_threads), py::none(), [&](const Execution& execution) {
    score_all(matrix_of(query_matrix), matrix_of(item_matrix), out, execution);
    return 0;
  });
  return scores;
}

}  // namespace

void register_topk(py::module_& module) {
  py::class_<PackedItems>(module, "PackedItems", "Items and their 8-bit codes, as topk takes them.")
      .def_static("pack", &PackedItems::pack, py::arg("items"), py::arg("num_threads") = 0,
                  "Packs float32 items [m, f].")
      .def_static("restore", &PackedItems::restore, py::arg("items"), py::arg("arrays"),
                  "The same from the arrays of packed items, checked.")
      .def("arrays", &PackedItems::arrays, "What restore() takes, by name.")
      .def("__len__", &PackedItems::size);
  module.def("topk", &topk_, py::arg("queries"), py::arg("items"), py::arg("k"), py::kw_only(),
             py::arg("exclude") = py::none(), py::arg("block") = py::none(), py::arg("allow") = py::none(),
             py::arg("metric") = "inner_product", py::arg("biases") = py::none(), py::arg("thresholds") = py::none(),
             py::arg("precision") = "auto", py::arg("num_threads") = 0, py::arg("progress") = py::none(),
             py::arg("device") = "cpu", py::arg("stream") = py::none(),
             "(ids, scores) [n, k] of the items with the largest score that pass the filter.");
  module.def("score_all", &score_all_, py::arg("queries"), py::arg("items"), py::arg("num_threads") = 0,
             py::arg("device") = "cpu", py::arg("stream") = py::none(),
             "The inner product of each query with each item, float32 [n, m].");
}

}  // namespace recocore::bindings
