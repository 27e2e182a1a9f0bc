#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "arrays.hpp"
#include "execution.hpp"
#include "module.hpp"
#include "recocore/anomaly/ecod.hpp"
#include "recocore/anomaly/feature_matrix.hpp"
#include "recocore/anomaly/half_space_trees.hpp"
#include "recocore/anomaly/hbos.hpp"
#include "recocore/anomaly/isolation_forest.hpp"
#include "recocore/anomaly/mcd.hpp"

namespace recocore::bindings {
namespace {

/// A matrix of features, float32 or float64, kept alive.
class FeatureArgument {
 public:
  explicit FeatureArgument(const py::object& rows) {
    if (py::isinstance<py::array_t<float>>(rows))
      singles_ = checked_rows<float>(rows, "X");
    else
      doubles_ = checked_rows<double>(rows, "X");
  }

  [[nodiscard]] FeatureMatrix matrix() const {
    if (singles_) return matrix_of(*singles_);
    return matrix_of(*doubles_);
  }

 private:
  std::optional<py::array_t<float>> singles_;
  std::optional<py::array_t<double>> doubles_;
};

template <typename T>
std::vector<T> take(const py::dict& arrays, const char* name) {
  if (!arrays.contains(name)) throw Error(ErrorCode::corrupt, std::string(name) + ": expected this array, got none");
  try {
    const auto array = checked<T>(arrays[name], name, 1);
    return {array.data(), array.data() + array.size()};
  } catch (const Error& error) {
    throw Error(ErrorCode::corrupt, error.what());
  }
}

template <typename T>
py::array_t<T> copy(const std::vector<T>& values) {
  return py::array_t<T>(static_cast<py::ssize_t>(values.size()), values.data());
}

template <typename Model>
py::array_t<double> score(const Model& model, const py::object& rows, int num_threads) {
  const FeatureArgument argument(rows);
  const FeatureMatrix matrix = argument.matrix();
  py::array_t<double> scores(matrix.rows());
  const auto out = mutable_span_of(scores);
  run_released(num_threads, py::none(), [&](const Execution& execution) {
    model.score(matrix, out, execution);
    return 0;
  });
  return scores;
}

template <typename Model>
py::array_t<double> explain(const Model& model, const py::object& rows, int num_threads) {
  const FeatureArgument argument(rows);
  const FeatureMatrix matrix = argument.matrix();
  py::array_t<double> reasons({matrix.rows(), matrix.cols()});
  const auto out = mutable_matrix_of(reasons);
  run_released(num_threads, py::none(), [&](const Execution& execution) {
    model.explain(matrix, out, execution);
    return 0;
  });
  return reasons;
}

template <typename Model, typename Fit>
std::unique_ptr<Model> fitted(const py::object& rows, int num_threads, const Fit& fit) {
  const FeatureArgument argument(rows);
  const FeatureMatrix matrix = argument.matrix();
  return run_released(num_threads, py::none(), [&](const Execution& execution) { return fit(matrix, execution); });
}

template <typename Model>
py::class_<Model> define(py::module_& module, const char* name, const char* about) {
  return py::class_<Model>(module, name, about)
      .def("score", &score<Model>, py::arg("X"), py::arg("num_threads") = 0, "float64 [n], higher is more anomalous.")
      .def("explain", &explain<Model>, py::arg("X"), py::arg("num_threads") = 0, "float64 [n, f]: reasons.");
}

EcodVariant variant_named(const std::string& name) {
  if (name == "paper") return EcodVariant::paper;
  require(name == "pyod", [&] { return "variant: expected paper or pyod, got \"" + name + "\""; });
  return EcodVariant::pyod;
}

void register_ecod(py::module_& module) {
  define<Ecod>(module, "EcodModel", "A fitted ECOD.")
      .def_static(
          "fit",
          [](const py::object& rows, const std::string& variant, int num_threads) {
            const EcodVariant kind = variant_named(variant);
            return fitted<Ecod>(rows, num_threads, [&](const FeatureMatrix& matrix, const Execution& execution) {
              return std::make_unique<Ecod>(kind, Ecod::fit(matrix, execution));
            });
          },
          py::arg("X"), py::arg("variant"), py::arg("num_threads") = 0, "Sorts the columns.")
      .def_static(
          "restore",
          [](const std::string& variant, const py::dict& arrays) {
            return std::make_unique<Ecod>(variant_named(variant),
                                          EcodArrays{take<std::int64_t>(arrays, "offsets"),
                                                     take<double>(arrays, "sorted"), take<double>(arrays, "moments")});
          },
          py::arg("variant"), py::arg("arrays"), "The same from its arrays, checked.")
      .def(
          "arrays",
          [](const Ecod& model) {
            py::dict arrays;
            arrays["offsets"] = copy(model.arrays().offsets);
            arrays["sorted"] = copy(model.arrays().sorted);
            arrays["moments"] = copy(model.arrays().moments);
            return arrays;
          },
          "What restore() takes.");
}

void register_forest(py::module_& module) {
  define<IsolationForest>(module, "IsolationForestModel", "A fitted isolation forest.")
      .def_static(
          "fit",
          [](const py::object& rows, std::int64_t n_trees, std::int64_t sample_size, std::uint64_t seed,
             int num_threads) {
            return fitted<IsolationForest>(rows, num_threads,
                                           [&](const FeatureMatrix& matrix, const Execution& execution) {
                                             return std::make_unique<IsolationForest>(
                                                 IsolationForest::fit(matrix, n_trees, sample_size, seed, execution));
                                           });
          },
          py::arg("X"), py::arg("n_trees"), py::arg("sample_size"), py::arg("seed"), py::arg("num_threads") = 0,
          "Grows the trees.")
      .def_static(
          "restore",
          [](std::int64_t features, std::int64_t sampled, const py::dict& arrays) {
            return std::make_unique<IsolationForest>(ForestArrays{
                features, sampled, take<std::int32_t>(arrays, "roots"), take<std::int32_t>(arrays, "feature"),
                take<double>(arrays, "threshold"), take<std::int32_t>(arrays, "left"),
                take<std::int8_t>(arrays, "missing_right"), take<double>(arrays, "path")});
          },
          py::arg("features"), py::arg("sampled"), py::arg("arrays"), "The same from its arrays, checked.")
      .def(
          "arrays",
          [](const IsolationForest& model) {
            const ForestArrays& forest = model.arrays();
            py::dict arrays;
            arrays["roots"] = copy(forest.roots);
            arrays["feature"] = copy(forest.feature);
            arrays["threshold"] = copy(forest.threshold);
            arrays["left"] = copy(forest.left);
            arrays["missing_right"] = copy(forest.missing_right);
            arrays["path"] = copy(forest.path);
            return arrays;
          },
          "What restore() takes.")
      .def_property_readonly("features", [](const IsolationForest& model) { return model.arrays().features; })
      .def_property_readonly("sampled", [](const IsolationForest& model) { return model.arrays().sampled; });
}

void register_mcd(py::module_& module) {
  define<Mcd>(module, "McdModel", "A fitted robust location and scatter.")
      .def_static("support_size", &Mcd::support_size, py::arg("rows"), py::arg("features"),
                  "Rows that the least determinant is sought over.")
      .def_static(
          "varying",
          [](const py::object& rows) {
            const FeatureArgument argument(rows);
            const FeatureMatrix matrix = argument.matrix();
            return run_released(1, py::none(), [&](const Execution&) { return Mcd::varying(matrix); });
          },
          py::arg("X"), "Features that are not constant.")
      .def_static(
          "fit",
          [](const py::object& rows, std::int64_t support, std::tuple<double, double, double> corrections,
             std::uint64_t seed, int num_threads) {
            const FeatureArgument argument(rows);
            const FeatureMatrix matrix = argument.matrix();
            const auto [raw, cutoff, reweighted] = corrections;
            const McdCorrections values{raw, cutoff, reweighted};
            auto fit = run_released(num_threads, py::none(), [&](const Execution& execution) {
              return Mcd::fit(matrix, support, values, seed, execution);
            });
            return py::make_tuple(std::make_unique<Mcd>(std::move(fit.arrays)), to_numpy(std::move(fit.support)));
          },
          py::arg("X"), py::arg("support"), py::arg("corrections"), py::arg("seed"), py::arg("num_threads") = 0,
          "The model, and int8 [n]: rows of the reweighted estimate.")
      .def_static(
          "restore",
          [](const py::dict& arrays) {
            return std::make_unique<Mcd>(McdArrays{take<double>(arrays, "center"), take<double>(arrays, "scale"),
                                                   take<double>(arrays, "location"),
                                                   take<double>(arrays, "precision")});
          },
          py::arg("arrays"), "The same from its arrays, checked.")
      .def(
          "arrays",
          [](const Mcd& model) {
            py::dict arrays;
            arrays["center"] = copy(model.arrays().center);
            arrays["scale"] = copy(model.arrays().scale);
            arrays["location"] = copy(model.arrays().location);
            arrays["precision"] = copy(model.arrays().precision);
            return arrays;
          },
          "What restore() takes.");
}

void register_hbos(py::module_& module) {
  define<Hbos>(module, "HbosModel", "Fitted histograms.")
      .def_static(
          "fit",
          [](const py::object& rows, std::int64_t n_bins, bool equal_count, double alpha, double tolerance,
             int num_threads) {
            const BinKind kind = equal_count ? BinKind::equal_count : BinKind::equal_width;
            return fitted<Hbos>(rows, num_threads, [&](const FeatureMatrix& matrix, const Execution& execution) {
              return std::make_unique<Hbos>(Hbos::fit(matrix, n_bins, kind, execution), alpha, tolerance);
            });
          },
          py::arg("X"), py::arg("n_bins"), py::arg("equal_count"), py::arg("alpha"), py::arg("tolerance"),
          py::arg("num_threads") = 0, "Counts the bins.")
      .def_static(
          "restore",
          [](double alpha, double tolerance, const py::dict& arrays) {
            return std::make_unique<Hbos>(
                HistogramArrays{take<std::int64_t>(arrays, "bins"), take<double>(arrays, "edges"),
                                take<double>(arrays, "density")},
                alpha, tolerance);
          },
          py::arg("alpha"), py::arg("tolerance"), py::arg("arrays"), "The same from its arrays, checked.")
      .def(
          "arrays",
          [](const Hbos& model) {
            py::dict arrays;
            arrays["bins"] = copy(model.arrays().bins);
            arrays["edges"] = copy(model.arrays().edges);
            arrays["density"] = copy(model.arrays().density);
            return arrays;
          },
          "What restore() takes.");
}

void register_half_space_trees(py::module_& module) {
  define<HalfSpaceTrees>(module, "HalfSpaceTreesModel", "Half-space trees and the masses of a stream.")
      .def_static(
          "build",
          [](const py::object& rows, std::int64_t n_trees, std::int64_t depth, std::int64_t window,
             std::uint64_t seed) {
            return fitted<HalfSpaceTrees>(rows, 1, [&](const FeatureMatrix& matrix, const Execution&) {
              return std::make_unique<HalfSpaceTrees>(HalfSpaceTrees::build(matrix, n_trees, depth, window, seed));
            });
          },
          py::arg("X"), py::arg("n_trees"), py::arg("depth"), py::arg("window"), py::arg("seed"),
          "Trees over the ranges of features, without masses.")
      .def_static(
          "restore",
          [](const py::dict& sizes, const py::dict& arrays) {
            const auto size = [&](const char* name) { return sizes[name].cast<std::int64_t>(); };
            return std::make_unique<HalfSpaceTrees>(HalfSpaceArrays{
                size("features"), size("trees"), size("height"), size("window"), size("seen"), size("profiled"),
                take<std::int32_t>(arrays, "feature"), take<double>(arrays, "threshold"),
                take<std::int32_t>(arrays, "reference"), take<std::int32_t>(arrays, "latest")});
          },
          py::arg("sizes"), py::arg("arrays"), "The same from its arrays, checked.")
      .def(
          "update",
          [](HalfSpaceTrees& model, const py::object& rows, int num_threads) {
            const FeatureArgument argument(rows);
            const FeatureMatrix matrix = argument.matrix();
            run_released(num_threads, py::none(), [&](const Execution& execution) {
              model.update(matrix, execution);
              return 0;
            });
          },
          py::arg("X"), py::arg("num_threads") = 0, "Takes rows into the current window.")
      .def(
          "state",
          [](const HalfSpaceTrees& model) {
            // Without the GIL: who holds the lock may be waiting for it.
            const HalfSpaceArrays state = run_released(1, py::none(), [&](const Execution&) { return model.arrays(); });
            py::dict sizes;
            sizes["features"] = state.features;
            sizes["trees"] = state.trees;
            sizes["height"] = state.height;
            sizes["window"] = state.window;
            sizes["seen"] = state.seen;
            sizes["profiled"] = state.profiled;
            py::dict arrays;
            arrays["feature"] = copy(state.feature);
            arrays["threshold"] = copy(state.threshold);
            arrays["reference"] = copy(state.reference);
            arrays["latest"] = copy(state.latest);
            return py::make_tuple(sizes, arrays);
          },
          "(sizes, arrays), as restore() takes them.");
}

}  // namespace

void register_anomaly(py::module_& module) {
  register_ecod(module);
  register_forest(module);
  register_mcd(module);
  register_hbos(module);
  register_half_space_trees(module);
}

}  // namespace recocore::bindings
