#pragma once

#include <cstdint>
#include <vector>

#include "recocore/thread_pool.hpp"
#include "recocore/views.hpp"

namespace recocore {

/// Regression trees whose values are added up, as flat arrays: node n of all trees asks whether feature[n] <=
/// threshold[n] and goes on at left[n] or right[n], where NaN goes left if missing_left[n]; feature -1 is a leaf.
class BoostedTrees {
 public:
  struct Arrays {
    std::vector<std::int32_t> roots;  ///< `[trees]`
    std::vector<std::int32_t> feature;
    std::vector<double> threshold;
    std::vector<std::int32_t> left;
    std::vector<std::int32_t> right;
    std::vector<std::uint8_t> missing_left;
    std::vector<double> value;
  };

  /// Throws Error{invalid_argument} unless every node leads to later nodes, so that each path ends, and every feature
  /// is below `features`.
  BoostedTrees(Arrays arrays, std::int64_t features, double baseline);

  [[nodiscard]] std::int64_t features() const noexcept { return features_; }

  /// baseline + the leaves of each row, added tree by tree, `[n]`. O(trees x depth) a row.
  [[nodiscard]] std::vector<double> score(const MatrixView<const double>& rows, const Execution& execution) const;

  /// What each feature adds on a row's paths, `[n, features]`: the changes of value where it was asked (Saabas 2014).
  /// With the values of the roots and the baseline they add up to the score.
  [[nodiscard]] std::vector<double> explain(const MatrixView<const double>& rows, const Execution& execution) const;

 private:
  [[nodiscard]] std::size_t next(std::size_t node, std::span<const double> row) const noexcept;
  void check_shape(const MatrixView<const double>& rows) const;

  Arrays arrays_;
  std::int64_t features_;
  double baseline_;
};

}  // namespace recocore
