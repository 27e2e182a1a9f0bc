// The form in which many rows walk a forest: its thresholds are numbered.
#pragma once

#include <cstdint>
#include <vector>

#include "recocore/anomaly/isolation_forest.hpp"

namespace recocore {

/// Each feature's thresholds are numbered in their order, and a row's values become the numbers of thresholds below
/// them: then a node is 32 bits, trees are complete, and rows go down by whole registers. Every comparison comes out as
/// with the values themselves. Missing values have no number.
class CodedForest {
 public:
  CodedForest() = default;

  /// Empty where trees are too high, or thresholds or features too many, for 16 bits. `height` is that of the highest
  /// tree.
  CodedForest(const ForestArrays& arrays, int height);

  [[nodiscard]] bool empty() const noexcept { return nodes_.empty(); }

  /// Scratch of one thread.
  struct Scratch {
    std::vector<std::int32_t> codes;
    std::vector<double> sums;
  };

  /// sums[r] = the lengths of the paths of row r, summed in the order of the trees. `columns` is the transposed block,
  /// its features kCodedRows apart; at most as many rows.
  void sum_paths(const double* columns, std::int64_t rows, double* sums, Scratch& scratch) const;

 private:
  void fill(const ForestArrays& arrays, std::int32_t node, std::int64_t tree, std::int64_t place, int depth);

  std::int64_t features_ = 0;
  int height_ = 0;
  std::vector<std::vector<double>> thresholds_;  ///< of each feature, ascending
  std::vector<std::uint32_t> nodes_;             ///< [trees * (2^height - 1) + slack]
  std::vector<double> leaves_;                   ///< [trees * 2^height]
};

}  // namespace recocore
