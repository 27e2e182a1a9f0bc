// Packed bits, shifts and masks of small non-negative numbers: their operands are signed throughout.
// NOLINTBEGIN(bugprone-signed-bitwise)

#include "recocore/anomaly/half_space_trees.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>
#include <string>
#include <utility>

#include "base/per_worker.hpp"
#include "base/random.hpp"
#include "recocore/error.hpp"
#include "recocore/memory.hpp"

namespace recocore {
namespace {

std::size_t at(std::int64_t index) {
  return static_cast<std::size_t>(index);
}

struct Range {
  double low;
  double high;
};

/// The paper's work range of a feature: around a random point of its range, reaching over both ends.
Range work_range(Range seen, SplitMix64& random) {
  const double s = random.uniform();
  const double reach = 2 * std::max(s, 1 - s);
  const auto place = [&](double share) { return seen.low * (1 - share) + seen.high * share; };
  return {place(s - reach), place(s + reach)};
}

class TreeBuilder {
 public:
  TreeBuilder(std::vector<Range> ranges, std::int64_t splits, std::int32_t* feature, double* threshold,
              SplitMix64& random)
      : ranges_(std::move(ranges)), splits_(splits), feature_(feature), threshold_(threshold), random_(random) {}

  void build(std::int64_t node) {
    if (node >= splits_) return;
    const std::int64_t j = random_.below(static_cast<std::int64_t>(ranges_.size()));
    const Range range = ranges_[at(j)];
    const double middle = range.low / 2 + range.high / 2;
    feature_[node] = static_cast<std::int32_t>(j);
    threshold_[node] = middle;
    ranges_[at(j)].high = middle;
    build(2 * node + 1);
    ranges_[at(j)] = {middle, range.high};
    build(2 * node + 2);
    ranges_[at(j)] = range;
  }

 private:
  std::vector<Range> ranges_;
  std::int64_t splits_;
  std::int32_t* feature_;
  double* threshold_;
  SplitMix64& random_;
};

void require_size(const char* name, std::int64_t value, std::int64_t most) {
  require(value >= 1 && value <= most, [&] {
    return std::string(name) + ": expected 1 to " + std::to_string(most) + ", got " + std::to_string(value);
  });
}

}  // namespace

HalfSpaceArrays HalfSpaceTrees::build(const FeatureMatrix& rows, std::int64_t trees, std::int64_t height,
                                      std::int64_t window, std::uint64_t seed) {
  const std::int64_t n = rows.rows();
  const std::int64_t f = rows.cols();
  require(n > 0 && f > 0, [&] {
    return "X: expected at least one row and one feature, got " + std::to_string(n) + " x " + std::to_string(f);
  });
  require_size("n_trees", trees, 10'000);
  require_size("depth", height, 20);
  require_size("window", window, 1'000'000'000);
  std::vector<Range> seen(at(f), {std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()});
  std::vector<double> row(at(f));
  for (std::int64_t r = 0; r < n; ++r) {
    rows.read_rows(r, r + 1, row.data());
    for (std::int64_t j = 0; j < f; ++j) {
      Range& range = seen[at(j)];
      // Thresholds reach beyond the range: they stay finite where it does not come near the largest number.
      const double v = std::clamp(row[at(j)], -1e300, 1e300);
      range.low = v < range.low ? v : range.low;
      range.high = v > range.high ? v : range.high;
    }
  }
  for (Range& range : seen)
    if (range.low > range.high) range = {0, 1};  // never present
  HalfSpaceArrays arrays;
  arrays.features = f;
  arrays.trees = trees;
  arrays.height = height;
  arrays.window = window;
  const std::int64_t splits = (std::int64_t{1} << height) - 1;
  const std::int64_t nodes = 2 * splits + 1;
  MemoryBudget("HalfSpaceTrees.fit").take(trees * splits, 28, "lower n_trees or depth");
  arrays.feature.resize(at(trees * splits));
  arrays.threshold.resize(at(trees * splits));
  arrays.reference.assign(at(trees * nodes), 0);
  arrays.latest.assign(at(trees * nodes), 0);
  for (std::int64_t t = 0; t < trees; ++t) {
    SplitMix64 random(seed, static_cast<std::uint64_t>(t));
    std::vector<Range> ranges(seen);
    for (Range& range : ranges) range = work_range(range, random);
    TreeBuilder(std::move(ranges), splits, arrays.feature.data() + t * splits, arrays.threshold.data() + t * splits,
                random)
        .build(0);
  }
  return arrays;
}

HalfSpaceTrees::HalfSpaceTrees(HalfSpaceArrays arrays) : arrays_(std::move(arrays)) {
  const auto check = [](bool holds, const char* expected) {
    if (!holds) throw Error(ErrorCode::corrupt, std::string("half-space trees: expected ") + expected);
  };
  const HalfSpaceArrays& a = arrays_;
  check(a.features > 0 && a.trees > 0 && a.trees <= 10'000 && a.height > 0 && a.height <= 20 && a.window > 0,
        "sizes in their ranges");
  check(a.seen >= 0 && a.seen < a.window && (a.profiled == 0 || a.profiled == a.window), "fewer rows than a window");
  check(a.feature.size() == at(a.trees * splits()) && a.threshold.size() == a.feature.size(),
        "a feature and a threshold for each node that splits");
  check(a.reference.size() == at(a.trees * nodes()) && a.latest.size() == a.reference.size(),
        "two masses for each node");
  check(std::all_of(a.feature.begin(), a.feature.end(), [&](auto j) { return j >= 0 && j < a.features; }),
        "features that there are");
  check(std::all_of(a.threshold.begin(), a.threshold.end(), [](double v) { return std::isfinite(v); }),
        "finite thresholds");
}

/// Calls visit(node, 2^depth) from the root down, as long as it answers true.
template <typename Visit>
void HalfSpaceTrees::descend(std::int64_t tree, const double* row, const Visit& visit) const {
  const std::int32_t* feature = arrays_.feature.data() + tree * splits();
  const double* threshold = arrays_.threshold.data() + tree * splits();
  std::int64_t node = 0;
  double scale = 1;
  while (visit(node, scale) && node < splits()) {
    const double value = row[feature[node]];
    if (std::isnan(value)) break;
    node = 2 * node + (value < threshold[node] ? 1 : 2);
    scale *= 2;
  }
}

void HalfSpaceTrees::update(const FeatureMatrix& rows, const Execution& execution) {
  rows.require_features(arrays_.features);
  const std::int64_t n = rows.rows();
  const std::int64_t f = arrays_.features;
  // Everything is read before anything changes: a refused row leaves the masses as they were.
  std::vector<double> values(at(n * f));
  rows.read_rows(0, n, values.data());
  const std::unique_lock lock(mutex_);
  for (std::int64_t begin = 0; begin < n;) {
    const std::int64_t end = std::min(n, begin + arrays_.window - arrays_.seen);
    parallel_for(execution, arrays_.trees, 1, [&](std::int64_t first, std::int64_t last, int) {
      for (std::int64_t t = first; t < last; ++t) {
        std::int32_t* mass = arrays_.latest.data() + t * nodes();
        for (std::int64_t r = begin; r < end; ++r)
          descend(t, values.data() + r * f, [&](std::int64_t node, double) { return ++mass[node] > 0; });
      }
    });
    arrays_.seen += end - begin;
    if (arrays_.seen == arrays_.window) {
      arrays_.reference.swap(arrays_.latest);
      std::fill(arrays_.latest.begin(), arrays_.latest.end(), 0);
      arrays_.profiled = arrays_.window;
      arrays_.seen = 0;
    }
    begin = end;
  }
}

void HalfSpaceTrees::score(const FeatureMatrix& rows, std::span<double> scores, const Execution& execution) const {
  rows.require_features(arrays_.features);
  const std::shared_lock lock(mutex_);
  const bool profiled = arrays_.profiled > 0;
  const auto behind = static_cast<double>(profiled ? arrays_.profiled : arrays_.seen);
  const std::int32_t* masses = (profiled ? arrays_.reference : arrays_.latest).data();
  const double most = behind * static_cast<double>(arrays_.trees) * std::exp2(static_cast<double>(arrays_.height));
  PerWorker<std::vector<double>> scratch(execution);
  parallel_for(execution, rows.rows(), kRowBlock, [&](std::int64_t begin, std::int64_t end, int worker) {
    std::vector<double>& block = scratch.get(worker, [] { return std::vector<double>(); });
    block.resize(at((end - begin) * arrays_.features));
    rows.read_rows(begin, end, block.data());
    std::fill(scores.begin() + begin, scores.begin() + end, 0.0);
    if (behind == 0) return;
    for (std::int64_t t = 0; t < arrays_.trees; ++t) {
      const std::int32_t* mass = masses + t * nodes();
      for (std::int64_t r = begin; r < end; ++r) {
        double last = 0;
        descend(t, block.data() + (r - begin) * arrays_.features, [&](std::int64_t node, double scale) {
          last = mass[node] * scale;
          return mass[node] >= 0.1 * behind;
        });
        scores[at(r)] += last;
      }
    }
    for (std::int64_t r = begin; r < end; ++r) scores[at(r)] = 1 - scores[at(r)] / most;
  });
}

void HalfSpaceTrees::explain(const FeatureMatrix& rows, MatrixView<double> reasons, const Execution& execution) const {
  rows.require_features(arrays_.features);
  const std::shared_lock lock(mutex_);
  const bool profiled = arrays_.profiled > 0;
  const auto behind = static_cast<double>(profiled ? arrays_.profiled : arrays_.seen);
  const std::int32_t* masses = (profiled ? arrays_.reference : arrays_.latest).data();
  const double most = behind * static_cast<double>(arrays_.trees) * std::exp2(static_cast<double>(arrays_.height));
  PerWorker<std::vector<double>> scratch(execution);
  parallel_for(execution, rows.rows(), kRowBlock, [&](std::int64_t begin, std::int64_t end, int worker) {
    std::vector<double>& row = scratch.get(worker, [&] { return std::vector<double>(at(arrays_.features)); });
    for (std::int64_t r = begin; r < end; ++r) {
      rows.read_rows(r, r + 1, row.data());
      const auto out = reasons.row(r);
      std::fill(out.begin(), out.end(), 0.0);
      if (behind == 0) continue;
      for (std::int64_t t = 0; t < arrays_.trees; ++t) {
        const std::int32_t* mass = masses + t * nodes();
        const std::int32_t* feature = arrays_.feature.data() + t * splits();
        double before = 0;
        std::int64_t asked = -1;
        descend(t, row.data(), [&](std::int64_t node, double scale) {
          const double here = mass[node] * scale;
          if (asked >= 0) out[at(asked)] += before - here;
          before = here;
          asked = node < splits() ? feature[node] : 0;
          return mass[node] >= 0.1 * behind;
        });
      }
      for (double& reason : out) reason /= most;
    }
  });
}

HalfSpaceArrays HalfSpaceTrees::arrays() const {
  const std::shared_lock lock(mutex_);
  return arrays_;
}

}  // namespace recocore
// NOLINTEND(bugprone-signed-bitwise)
