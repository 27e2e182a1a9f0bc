#pragma once

// Packed bits, shifts and masks of small non-negative numbers: their operands are signed throughout.
// NOLINTBEGIN(bugprone-signed-bitwise)

#include <cstdint>
#include <shared_mutex>
#include <span>
#include <vector>

#include "recocore/anomaly/feature_matrix.hpp"
#include "recocore/thread_pool.hpp"

namespace recocore {

/// Half-space trees as flat arrays. A tree of height d has 2^d - 1 nodes that split, in the order of a heap, and
/// 2^(d+1) - 1 nodes with masses.
struct HalfSpaceArrays {
  std::int64_t features = 0;
  std::int64_t trees = 0;
  std::int64_t height = 0;
  std::int64_t window = 0;
  std::int64_t seen = 0;                ///< rows of the window that is being filled
  std::int64_t profiled = 0;            ///< rows behind the masses that scores are from: 0 or `window`
  std::vector<std::int32_t> feature;    ///< [trees * splits]
  std::vector<double> threshold;        ///< [trees * splits]: a value at or above it goes right
  std::vector<std::int32_t> reference;  ///< [trees * nodes]: masses of the last full window
  std::vector<std::int32_t> latest;     ///< [trees * nodes]: masses of the window that is being filled
};

/// Streaming half-space trees (Tan, Ting and Liu, IJCAI 2011). A tree's anomaly is low where its mass r 2^depth is
/// high, at the first node on a row's way with fewer than a tenth of a window's rows, or at the bottom. The score is 1
/// - sum of masses / (trees window 2^height), in [0, 1]. Before the first window is full the rows seen so far stand in.
///
/// A missing value ends a row's way at the node that asks for it. update() waits for those who score, and they for it.
class HalfSpaceTrees {
 public:
  /// Trees over each feature's range in `rows`, drawn from stream t of the seed (the paper's section 3.3); no masses
  /// yet. O(n f + trees 2^height). Throws Error{invalid_argument} for sizes below 1, a height above 20, no rows or an
  /// infinite value.
  [[nodiscard]] static HalfSpaceArrays build(const FeatureMatrix& rows, std::int64_t trees, std::int64_t height,
                                             std::int64_t window, std::uint64_t seed);

  /// Throws Error{corrupt} for arrays that do not fit each other.
  explicit HalfSpaceTrees(HalfSpaceArrays arrays);

  /// Takes rows in order into the current window; a full one becomes the reference. O(trees height) a row.
  void update(const FeatureMatrix& rows, const Execution& execution);

  /// Scores [n]; 0 before any row. O(trees height) a row.
  void score(const FeatureMatrix& rows, std::span<double> scores, const Execution& execution) const;

  /// At each node on a row's way the mass times 2^depth changes: the change is the feature's that the node asks for, in
  /// the score's unit [n, f]. A row's reasons sum to the score less that of evenly spread rows, 1 - 2^-height.
  void explain(const FeatureMatrix& rows, MatrixView<double> reasons, const Execution& execution) const;

  /// A copy, whole at some moment.
  [[nodiscard]] HalfSpaceArrays arrays() const;

 private:
  [[nodiscard]] std::int64_t splits() const noexcept { return (std::int64_t{1} << arrays_.height) - 1; }
  [[nodiscard]] std::int64_t nodes() const noexcept { return (std::int64_t{2} << arrays_.height) - 1; }
  template <typename Visit>
  void descend(std::int64_t tree, const double* row, const Visit& visit) const;

  HalfSpaceArrays arrays_;
  mutable std::shared_mutex mutex_;
};

}  // namespace recocore
// NOLINTEND(bugprone-signed-bitwise)
