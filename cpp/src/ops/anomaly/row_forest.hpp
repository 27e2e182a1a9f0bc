// The form in which a few rows walk a forest: in lines of memory.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "recocore/anomaly/isolation_forest.hpp"

namespace recocore {

/// What the rows of a caller share.
struct RowScratch {
  std::vector<float> values;
  std::vector<double> paths;
};

/// A row on its own finds a forest out of the near caches, so what it waits for is lines of memory. Here its way
/// through a tree is three of them: blocks of three levels, three levels, and two with the leaves below; and those of
/// all trees are asked for before the first is looked at.
///
/// Thresholds are float32, less the median of their feature's. That order is the order of the float64 values except
/// where two become equal, and there the tree is left undecided. Missing values are not for it.
class RowForest {
 public:
  RowForest() = default;

  /// Empty where trees are higher than kMostHeight. `height` is that of the highest tree.
  RowForest(const ForestArrays& arrays, int height);

  static constexpr int kMostHeight = 8;  ///< that of trees on 256 rows; each more doubles their memory

  [[nodiscard]] bool empty() const noexcept { return tops_.empty(); }

  /// The path length of the leaf that a row comes to in each tree, `[trees]`, in `scratch.paths`; NaN where a value is
  /// too close to a threshold to tell.
  void find_paths(const double* row, RowScratch& scratch) const;

 private:
  static constexpr int kLevels = 3;     ///< of a block that others follow
  static constexpr int kNodes = 7;      ///< 2^kLevels - 1
  static constexpr int kBelow = 8;      ///< blocks below a block
  static constexpr int kLastNodes = 3;  ///< those of the two levels that are left
  static constexpr int kLeaves = 4;

  /// A complete tree of N nodes; the children of node k, from 1, are 2 k and 2 k + 1. A leaf above the bottom goes
  /// left.
  template <int N>
  struct Nodes {
    std::array<float, N> threshold;
    std::array<std::uint32_t, N> feature;
  };
  struct alignas(64) Block {
    Nodes<kNodes> nodes;
  };
  struct alignas(64) Last {
    Nodes<kLastNodes> nodes;
    std::array<double, kLeaves> path;
  };
  /// A row's way through the trees so far: the block that is next in each, and whether it is undecided.
  struct Way {
    std::uint32_t block = 0;
    bool undecided = false;
  };

  template <int N>
  static std::uint32_t go_down(const Nodes<N>& nodes, const float* values, bool& undecided) noexcept;
  template <int N>
  void put(const ForestArrays& arrays, std::int32_t node, std::uint32_t place, Nodes<N>& nodes) const;
  void fill(const ForestArrays& arrays, std::int32_t node, std::uint32_t tree, int depth, std::uint32_t path);

  std::vector<double> origins_;  ///< [features]: what is taken from values before they are rounded
  std::vector<Block> tops_;      ///< [trees]
  std::vector<Block> middles_;   ///< [trees * kBelow]
  std::vector<Last> lasts_;      ///< [trees * kBelow * kBelow]
};

}  // namespace recocore
