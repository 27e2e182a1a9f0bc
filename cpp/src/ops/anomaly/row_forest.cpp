// Packed bits, shifts and masks of small non-negative numbers: their operands are signed throughout.
// NOLINTBEGIN(bugprone-signed-bitwise)

#include "ops/anomaly/row_forest.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>

namespace recocore {
namespace {

// Trees whose lines are asked for together: the processor waits for some dozens at once.
constexpr std::size_t kTogether = 64;

float rounded(double value, double origin) noexcept {
  return static_cast<float>(value - origin);
}

/// The median of each feature's thresholds. Splits are many where values are, so these keep most of their digits.
std::vector<double> medians(const ForestArrays& arrays) {
  std::vector<std::vector<double>> thresholds(static_cast<std::size_t>(arrays.features));
  for (std::size_t i = 0; i < arrays.feature.size(); ++i)
    if (arrays.feature[i] >= 0) thresholds[static_cast<std::size_t>(arrays.feature[i])].push_back(arrays.threshold[i]);
  std::vector<double> found(thresholds.size(), 0.0);
  for (std::size_t j = 0; j < found.size(); ++j) {
    if (thresholds[j].empty()) continue;
    const auto middle = thresholds[j].begin() + static_cast<std::ptrdiff_t>(thresholds[j].size() / 2);
    std::nth_element(thresholds[j].begin(), middle, thresholds[j].end());
    found[j] = *middle;
  }
  return found;
}

}  // namespace

RowForest::RowForest(const ForestArrays& arrays, int height) {
  if (height > kMostHeight) return;
  origins_ = medians(arrays);
  const std::size_t trees = arrays.roots.size();
  tops_.resize(trees);
  middles_.resize(trees * kBelow);
  lasts_.resize(trees * kBelow * kBelow);
  for (std::size_t t = 0; t < trees; ++t) fill(arrays, arrays.roots[t], static_cast<std::uint32_t>(t), 0, 1);
}

template <int N>
void RowForest::put(const ForestArrays& arrays, std::int32_t node, std::uint32_t place, Nodes<N>& nodes) const {
  const auto from = static_cast<std::size_t>(node);
  const std::int32_t feature = std::max(arrays.feature[from], 0);
  nodes.feature[place - 1] = static_cast<std::uint32_t>(feature);
  // A leaf's is infinite.
  nodes.threshold[place - 1] = rounded(arrays.threshold[from], origins_[static_cast<std::size_t>(feature)]);
}

// `path` has the turns from the root in its bits, below a leading one.
void RowForest::fill(const ForestArrays& arrays, std::int32_t node, std::uint32_t tree, int depth, std::uint32_t path) {
  const auto within = [&](int levels) { return (1U << levels) | (path & ((1U << levels) - 1)); };
  const std::uint32_t turns = path - (1U << depth);
  if (depth < kLevels) {
    put(arrays, node, path, tops_[tree].nodes);
  } else if (depth < 2 * kLevels) {
    const int levels = depth - kLevels;
    put(arrays, node, within(levels), middles_[tree * kBelow + (turns >> levels)].nodes);
  } else {
    const int levels = depth - 2 * kLevels;
    Last& last = lasts_[tree * kBelow * kBelow + (turns >> levels)];
    if (depth == kMostHeight) {
      last.path[turns & (kLeaves - 1)] = arrays.path[static_cast<std::size_t>(node)];
      return;
    }
    put(arrays, node, within(levels), last.nodes);
  }
  if (arrays.feature[static_cast<std::size_t>(node)] < 0) return fill(arrays, node, tree, depth + 1, 2 * path);
  const std::int32_t left = arrays.left[static_cast<std::size_t>(node)];
  fill(arrays, left, tree, depth + 1, 2 * path);
  fill(arrays, left + 1, tree, depth + 1, 2 * path + 1);
}

/// Which of the blocks, or leaves, below.
template <int N>
std::uint32_t RowForest::go_down(const Nodes<N>& nodes, const float* values, bool& undecided) noexcept {
  std::uint32_t place = 1;
  while (place <= N) {
    const float value = values[nodes.feature[place - 1]];
    const float threshold = nodes.threshold[place - 1];
    undecided |= value == threshold;
    place = 2 * place + (value > threshold ? 1 : 0);
  }
  return place - (N + 1);
}

void RowForest::find_paths(const double* row, RowScratch& scratch) const {
  const std::size_t trees = tops_.size();
  scratch.values.resize(origins_.size());
  scratch.paths.resize(trees);
  std::transform(row, row + origins_.size(), origins_.begin(), scratch.values.begin(), rounded);
  const float* const values = scratch.values.data();
  std::array<Way, kTogether> ways;
  for (std::size_t first = 0; first < trees; first += kTogether) {
    const std::size_t count = std::min(kTogether, trees - first);
    for (std::size_t q = 0; q < count; ++q) {
      Way& way = ways[q] = Way();
      const std::uint32_t below = go_down(tops_[first + q].nodes, values, way.undecided);
      way.block = static_cast<std::uint32_t>((first + q) * kBelow + below);
      __builtin_prefetch(&middles_[way.block]);
    }
    for (std::size_t q = 0; q < count; ++q) {
      Way& way = ways[q];
      way.block = way.block * kBelow + go_down(middles_[way.block].nodes, values, way.undecided);
      __builtin_prefetch(&lasts_[way.block]);
    }
    for (std::size_t q = 0; q < count; ++q) {
      Way& way = ways[q];
      const Last& last = lasts_[way.block];
      const double path = last.path[go_down(last.nodes, values, way.undecided)];
      scratch.paths[first + q] = way.undecided ? std::numeric_limits<double>::quiet_NaN() : path;
    }
  }
}

}  // namespace recocore
// NOLINTEND(bugprone-signed-bitwise)
