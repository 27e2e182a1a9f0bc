// Packed bits, shifts and masks of small non-negative numbers: their operands are signed throughout.
// NOLINTBEGIN(bugprone-signed-bitwise)

#include "ops/anomaly/coded_forest.hpp"

#include <algorithm>
#include <cstddef>
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

}  // namespace recocore
// NOLINTEND(bugprone-signed-bitwise)
