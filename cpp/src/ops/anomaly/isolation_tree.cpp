#include "ops/anomaly/isolation_tree.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <set>

namespace recocore {
namespace {

std::size_t at(std::int64_t index) {
  return static_cast<std::size_t>(index);
}

struct Split {
  std::int32_t feature;
  double threshold;
  bool missing_right;
};

class Grower {
 public:
  Grower(const TreeSample& sample, int height, SplitMix64& random)
      : sample_(sample), height_(height), random_(random), rows_(at(sample.count)), features_(at(sample.features)) {
    std::iota(rows_.begin(), rows_.end(), 0);
    std::iota(features_.begin(), features_.end(), 0);
    tree_.features = sample.features;
    tree_.sampled = sample.count;
  }

  ForestArrays grow() {
    tree_.roots = {0};
    add_node();
    fill(0, 0, sample_.count, 0);
    return std::move(tree_);
  }

 private:
  void add_node() {
    tree_.feature.push_back(-1);
    tree_.threshold.push_back(std::numeric_limits<double>::infinity());
    tree_.left.push_back(static_cast<std::int32_t>(tree_.left.size()));
    tree_.missing_right.push_back(0);
    tree_.path.push_back(0);
  }

  [[nodiscard]] double value(std::int32_t row, std::int32_t feature) const {
    return sample_.values[at(row * sample_.features + feature)];
  }

  [[nodiscard]] std::optional<Split> split_by(std::int32_t feature, std::int64_t begin, std::int64_t end) {
    double low = std::numeric_limits<double>::infinity();
    double high = -low;
    bool missing = false;
    for (std::int64_t i = begin; i < end; ++i) {
      const double v = value(rows_[at(i)], feature);
      missing |= std::isnan(v);
      low = v < low ? v : low;
      high = v > high ? v : high;
    }
    if (low < high) {
      const double u = random_.uniform();
      double threshold = low * (1 - u) + high * u;  // high - low may overflow
      if (!(threshold >= low && threshold < high)) threshold = low;
      return Split{feature, threshold, (random_.next() >> 63U) != 0};
    }
    if (missing && low == high) return Split{feature, low, true};
    return std::nullopt;
  }

  /// The first feature in random order that tells the rows apart.
  [[nodiscard]] std::optional<Split> draw_split(std::int64_t begin, std::int64_t end) {
    const std::int64_t f = sample_.features;
    for (std::int64_t tried = 0; tried < f; ++tried) {
      std::swap(features_[at(tried)], features_[at(tried + random_.below(f - tried))]);
      if (const auto split = split_by(features_[at(tried)], begin, end)) return split;
    }
    return std::nullopt;
  }

  void fill(std::int32_t node, std::int64_t begin, std::int64_t end, int depth) {
    const std::int64_t count = end - begin;
    const std::optional<Split> split = depth < height_ && count > 1 ? draw_split(begin, end) : std::optional<Split>{};
    if (!split) {
      tree_.path[at(node)] = depth + mean_search_length(count);
      return;
    }
    const auto goes_left = [&](std::int32_t row) {
      const double v = value(row, split->feature);
      return std::isnan(v) ? !split->missing_right : v <= split->threshold;
    };
    const std::int64_t middle =
        std::stable_partition(rows_.begin() + begin, rows_.begin() + end, goes_left) - rows_.begin();
    const auto left = static_cast<std::int32_t>(tree_.left.size());
    add_node();
    add_node();
    tree_.feature[at(node)] = split->feature;
    tree_.threshold[at(node)] = split->threshold;
    tree_.left[at(node)] = left;
    tree_.missing_right[at(node)] = split->missing_right ? 1 : 0;
    fill(left, begin, middle, depth + 1);
    fill(left + 1, middle, end, depth + 1);
    tree_.path[at(node)] = (static_cast<double>(middle - begin) * tree_.path[at(left)] +
                            static_cast<double>(end - middle) * tree_.path[at(left + 1)]) /
                           static_cast<double>(count);
  }

  const TreeSample& sample_;
  int height_;
  SplitMix64& random_;
  std::vector<std::int32_t> rows_;
  std::vector<std::int32_t> features_;
  ForestArrays tree_;
};

}  // namespace

std::vector<std::int64_t> draw_rows(std::int64_t rows, std::int64_t count, SplitMix64& random) {
  std::set<std::int64_t> drawn;
  for (std::int64_t j = rows - count; j < rows; ++j) {
    const std::int64_t r = random.below(j + 1);
    drawn.insert(drawn.contains(r) ? j : r);
  }
  return {drawn.begin(), drawn.end()};
}

ForestArrays grow_tree(const TreeSample& sample, int height, SplitMix64& random) {
  return Grower(sample, height, random).grow();
}

}  // namespace recocore
