#include "recocore/boosted_trees.hpp"

#include <cmath>
#include <string>
#include <utility>

#include "recocore/error.hpp"

namespace recocore {
namespace {

constexpr std::int64_t kRowsAtOnce = 256;  // some 100 us of work, far more than a thread costs to wake

}  // namespace

BoostedTrees::BoostedTrees(Arrays arrays, std::int64_t features, double baseline)
    : arrays_(std::move(arrays)), features_(features), baseline_(baseline) {
  const Arrays& a = arrays_;
  const std::size_t nodes = a.feature.size();
  require(a.threshold.size() == nodes && a.left.size() == nodes && a.right.size() == nodes &&
              a.missing_left.size() == nodes && a.value.size() == nodes && nodes < INT32_MAX,
          [] { return std::string("trees: expected arrays of one length"); });
  const auto inside = [&](std::int32_t child, std::int64_t after) {
    return child > after && std::cmp_less(child, nodes);
  };
  for (const std::int32_t root : a.roots)
    require(inside(root, -1), [&] { return "trees: expected a root among the nodes, got " + std::to_string(root); });
  for (std::size_t n = 0; n < nodes; ++n) {
    const auto self = static_cast<std::int64_t>(n);
    const bool leads_on =
        a.feature[n] >= 0 && a.feature[n] < features && inside(a.left[n], self) && inside(a.right[n], self);
    require(a.feature[n] == -1 || leads_on,
            [&] { return "trees: expected node " + std::to_string(n) + " to lead to later ones by a known feature"; });
  }
}

std::size_t BoostedTrees::next(std::size_t node, std::span<const double> row) const noexcept {
  const double value = row[static_cast<std::size_t>(arrays_.feature[node])];
  const bool left = std::isnan(value) ? arrays_.missing_left[node] != 0 : value <= arrays_.threshold[node];
  return static_cast<std::size_t>(left ? arrays_.left[node] : arrays_.right[node]);
}

void BoostedTrees::check_shape(const MatrixView<const double>& rows) const {
  require(rows.cols == features_, [&] {
    return "rows: expected " + std::to_string(features_) + " features, got " + std::to_string(rows.cols);
  });
}

std::vector<double> BoostedTrees::score(const MatrixView<const double>& rows, const Execution& execution) const {
  check_shape(rows);
  std::vector<double> scores(static_cast<std::size_t>(rows.rows));
  parallel_for(execution, rows.rows, kRowsAtOnce, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t r = begin; r < end; ++r) {
      const auto row = rows.row(r);
      double sum = baseline_;
      for (const std::int32_t root : arrays_.roots) {
        auto node = static_cast<std::size_t>(root);
        while (arrays_.feature[node] >= 0) node = next(node, row);
        sum += arrays_.value[node];
      }
      scores[static_cast<std::size_t>(r)] = sum;
    }
  });
  return scores;
}

std::vector<double> BoostedTrees::explain(const MatrixView<const double>& rows, const Execution& execution) const {
  check_shape(rows);
  const auto features = static_cast<std::size_t>(features_);
  std::vector<double> parts(static_cast<std::size_t>(rows.rows) * features);
  parallel_for(execution, rows.rows, kRowsAtOnce, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t r = begin; r < end; ++r) {
      const auto row = rows.row(r);
      double* const own = parts.data() + static_cast<std::size_t>(r) * features;
      for (const std::int32_t root : arrays_.roots)
        for (auto node = static_cast<std::size_t>(root); arrays_.feature[node] >= 0;) {
          const std::size_t child = next(node, row);
          own[arrays_.feature[node]] += arrays_.value[child] - arrays_.value[node];
          node = child;
        }
    }
  });
  return parts;
}

}  // namespace recocore
