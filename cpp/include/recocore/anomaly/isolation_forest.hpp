#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "recocore/anomaly/feature_matrix.hpp"
#include "recocore/thread_pool.hpp"

namespace recocore {

/// A forest as flat arrays over all nodes; the nodes of a tree follow each other, its root first.
struct ForestArrays {
  std::int64_t features = 0;
  std::int64_t sampled = 0;                ///< rows that each tree was grown on
  std::vector<std::int32_t> roots;         ///< [trees]
  std::vector<std::int32_t> feature;       ///< [nodes]: what a node asks for; -1 is a leaf
  std::vector<double> threshold;           ///< [nodes]: values above it go right
  std::vector<std::int32_t> left;          ///< [nodes]: the right child follows the left one; a leaf's is itself
  std::vector<std::int8_t> missing_right;  ///< [nodes]: where a missing value goes
  std::vector<double> path;                ///< [nodes]: expected length of the paths through a node, in edges
};

/// c(n) of Liu et al. 2008, equation 1: the mean length of an unsuccessful search in a binary tree of n values.
[[nodiscard]] double mean_search_length(std::int64_t n);

class CodedForest;
class RowForest;
struct RowScratch;

/// Isolation forest (Liu, Ting and Zhou, ICDM 2008): 2^(-E[h] / c(sampled)).
///
/// Thresholds are float64: what float64 tells apart, the forest can. A missing value goes to the side that was drawn
/// when the node was grown; where all present values of a node are equal, missing ones are a branch of their own.
class IsolationForest {
 public:
  /// Grows tree t from stream t of the seed, on `sample_size` rows or all if there are fewer, to the height
  /// ceil(log2(rows)). O(trees (sample f + sample log sample)). Throws Error{invalid_argument} for sizes below 1, no
  /// rows, or an infinite value in a row that is drawn.
  [[nodiscard]] static ForestArrays fit(const FeatureMatrix& rows, std::int64_t trees, std::int64_t sample_size,
                                        std::uint64_t seed, const Execution& execution);

  /// Throws Error{corrupt} for arrays that are no forest.
  explicit IsolationForest(ForestArrays arrays);
  IsolationForest(IsolationForest&&) noexcept;
  IsolationForest& operator=(IsolationForest&&) noexcept;
  ~IsolationForest();

  /// Scores [n] in (0, 1]. O(trees log sample) a row.
  void score(const FeatureMatrix& rows, std::span<double> scores, const Execution& execution) const;

  /// What each feature takes off the expected path, over c(sampled) [n, f]: at each node on a row's way the expected
  /// length changes, and the change is the feature's that the node asks for (Saabas 2014). A row's reasons sum to
  /// log2(score) - log2(score of a path of average length).
  void explain(const FeatureMatrix& rows, MatrixView<double> reasons, const Execution& execution) const;

  [[nodiscard]] const ForestArrays& arrays() const noexcept { return arrays_; }

 private:
  struct Node {
    double threshold;
    std::int32_t left;
    std::int32_t feature;  ///< leaves ask for feature 0 and go nowhere
  };

  template <bool kMissing>
  [[nodiscard]] std::int32_t step(std::int32_t node, const double* row) const;
  template <bool kMissing>
  void walk(std::int32_t* places, const double* const* rows) const;
  template <bool kMissing>
  void add_paths(const double* block, std::int64_t rows, double* sums) const;
  [[nodiscard]] double sum_paths(const double* row, RowScratch& scratch) const;
  [[nodiscard]] double score_of(double paths) const;

  ForestArrays arrays_;
  std::vector<Node> nodes_;
  int height_ = 0;
  double normaliser_ = 0;
  std::unique_ptr<const CodedForest> coded_;   ///< for blocks without missing values
  std::unique_ptr<const RowForest> for_rows_;  ///< for a row without missing values
};

}  // namespace recocore
