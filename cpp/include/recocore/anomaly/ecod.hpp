#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "recocore/anomaly/feature_matrix.hpp"
#include "recocore/thread_pool.hpp"

namespace recocore {

/// What ECOD keeps of the rows that it was fitted on.
struct EcodArrays {
  std::vector<std::int64_t> offsets;  ///< [f + 1]: where a feature's values begin in `sorted`
  std::vector<double> sorted;         ///< each feature's present values, ascending
  std::vector<double> moments;        ///< [3 f]: mean, and sums of squared and cubed deviations from it
};

enum class EcodVariant {
  paper,  ///< Li et al. 2022, algorithm 1: the largest of three sums over features
  pyod,   ///< pyod's: the sum over features of the larger tail, ranks among fitted rows and those that are scored
};

/// Empirical-cumulative-distribution outlier detection (Li et al., IEEE TKDE 2022). A value's left tail is the part of
/// the fitted values that are not above it, its right tail the part not below it; its reasons are -log of the tails. A
/// missing value has none.
///
/// In the paper's variant a value that lies outside all fitted ones counts as 1 of n + 1.
class Ecod {
 public:
  /// Sorts the columns. O(f n log n). Throws Error{invalid_argument} without rows or for an infinite value.
  [[nodiscard]] static EcodArrays fit(const FeatureMatrix& rows, const Execution& execution);

  /// Throws Error{corrupt} for arrays that fit() cannot have given.
  Ecod(EcodVariant variant, EcodArrays arrays);

  /// Scores [n], the higher the more anomalous. O(f log n) a row, and in pyod's variant a sort of the rows.
  void score(const FeatureMatrix& rows, std::span<double> scores, const Execution& execution) const;

  /// What each feature adds to the score, [n, f].
  void explain(const FeatureMatrix& rows, MatrixView<double> reasons, const Execution& execution) const;

  [[nodiscard]] const EcodArrays& arrays() const noexcept { return arrays_; }
  [[nodiscard]] EcodVariant variant() const noexcept { return variant_; }

 private:
  [[nodiscard]] std::int64_t features() const noexcept;
  [[nodiscard]] std::span<const double> column(std::int64_t feature) const;
  [[nodiscard]] double log_of(std::int64_t count) const;
  /// The paper's: calls take(row, tails [f]) for each row.
  template <typename Take>
  void each_row(const FeatureMatrix& rows, const Execution& execution, const Take& take) const;
  void mixed(const FeatureMatrix& rows, std::span<double> scores, MatrixView<double> reasons,
             const Execution& execution) const;

  EcodVariant variant_;
  EcodArrays arrays_;
  std::vector<std::uint8_t> left_is_longer_;  ///< [f]: whether a feature's values are skewed to the left
  std::vector<double> logs_;                  ///< of 0 (unused) to the longest column's length + 1
};

}  // namespace recocore
