// Packed bits, shifts and masks of small non-negative numbers: their operands are signed throughout.
// NOLINTBEGIN(bugprone-signed-bitwise)

#include "ops/anomaly/coded_forest.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <utility>

#include "kernels/forest/kernel.hpp"

namespace recocore {
namespace {

using kernels::kCodedRows;

std::size_t at(std::int64_t index) {
  return static_cast<std::size_t>(index);
}

// Complete trees of this height take 12 KB each: they stay in the nearest cache.
constexpr int kMostHeight = 10;
constexpr std::int64_t kMostNumbers = 0xFFFF;
// No code is above it: a row goes left.
constexpr std::uint32_t kLeft = 0xFFFF;

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

CodedForest::CodedForest(const ForestArrays& arrays, int height) {
  if (height == 0 || height > kMostHeight || arrays.features > kMostNumbers) return;
  std::vector<std::vector<double>> thresholds(at(arrays.features));
  for (std::size_t i = 0; i < arrays.feature.size(); ++i)
    if (arrays.feature[i] >= 0) thresholds[static_cast<std::size_t>(arrays.feature[i])].push_back(arrays.threshold[i]);
  for (auto& of_feature : thresholds) {
    std::sort(of_feature.begin(), of_feature.end());
    of_feature.erase(std::unique(of_feature.begin(), of_feature.end()), of_feature.end());
    if (static_cast<std::int64_t>(of_feature.size()) > kMostNumbers) return;
  }
  features_ = arrays.features;
  height_ = height;
  thresholds_ = std::move(thresholds);
  const auto trees = static_cast<std::int64_t>(arrays.roots.size());
  nodes_.assign(at(trees * ((std::int64_t{1} << height) - 1) + kernels::kCodedSlack), 0);
  leaves_.assign(at(trees << height), 0);
  for (std::int64_t t = 0; t < trees; ++t) fill(arrays, arrays.roots[at(t)], t, 0, 0);
}

void CodedForest::fill(const ForestArrays& arrays, std::int32_t node, std::int64_t tree, std::int64_t place,
                       int depth) {
  const std::int64_t inner = (std::int64_t{1} << height_) - 1;
  if (depth == height_) {
    leaves_[at((tree << height_) + place - inner)] = arrays.path[at(node)];
    return;
  }
  std::uint32_t& word = nodes_[at(tree * inner + place)];
  const std::int32_t feature = arrays.feature[at(node)];
  if (feature < 0) {  // a leaf goes on to the left until the bottom
    word = kLeft;
    return fill(arrays, node, tree, 2 * place + 1, depth + 1);
  }
  const auto& numbered = thresholds_[at(feature)];
  const auto number = std::lower_bound(numbered.begin(), numbered.end(), arrays.threshold[at(node)]) - numbered.begin();
  word = static_cast<std::uint32_t>(feature) << 16U | static_cast<std::uint32_t>(number);
  fill(arrays, arrays.left[at(node)], tree, 2 * place + 1, depth + 1);
  fill(arrays, arrays.left[at(node)] + 1, tree, 2 * place + 2, depth + 1);
}

void CodedForest::sum_paths(const double* columns, std::int64_t rows, double* sums, Scratch& scratch) const {
  const kernels::ForestKernels& kernel = kernels::forest();
  scratch.codes.assign(at(features_ * kCodedRows), 0);
  scratch.sums.assign(at(kCodedRows), 0);
  for (std::int64_t j = 0; j < features_; ++j) {
    const auto& numbered = thresholds_[at(j)];
    if (!numbered.empty())
      kernel.encode(numbered.data(), static_cast<std::int64_t>(numbered.size()), columns + j * kCodedRows, rows,
                    scratch.codes.data() + j * kCodedRows);
  }
  const std::int64_t inner = (std::int64_t{1} << height_) - 1;
  const auto trees = static_cast<std::int64_t>(leaves_.size()) >> height_;
  for (std::int64_t t = 0; t < trees; ++t)
    kernel.add_leaves(nodes_.data() + t * inner, leaves_.data() + (t << height_), height_, scratch.codes.data(), rows,
                      scratch.sums.data());
  std::copy_n(scratch.sums.data(), rows, sums);
}

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
