#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "recocore/anomaly/feature_matrix.hpp"
#include "recocore/thread_pool.hpp"

namespace recocore {

/// A robust location and scatter, in units of each feature's own robust scale.
struct McdArrays {
  std::vector<double> center;     ///< [f]: medians
  std::vector<double> scale;      ///< [f]: median absolute deviations; 0 marks a constant feature, which is left out
  std::vector<double> location;   ///< [f]: of (x - center) / scale
  std::vector<double> precision;  ///< [f, f]: the inverse of the scatter of the same
};

/// What the corrections of a fit need to know of the chi-squared distribution with as many degrees of freedom as
/// features that vary.
struct McdCorrections {
  double raw = 1;         ///< the raw scatter's factor for consistency at the normal distribution
  double cutoff = 0;      ///< squared distances below it count in the reweighted estimate
  double reweighted = 1;  ///< the reweighted scatter's factor
};

struct McdFit {
  McdArrays arrays;
  std::vector<std::int8_t> support;  ///< [n]: 1 for rows in the reweighted estimate
};

/// Minimum covariance determinant: the location and scatter of the h rows whose scatter has the least determinant,
/// sought by FastMCD (Rousseeuw and Van Driessen, Technometrics 1999), made consistent and reweighted. A score is the
/// squared Mahalanobis distance; a missing value counts as at the location.
class Mcd {
 public:
  /// Added to each variance, in squared robust scales, so that a scatter always has an inverse.
  static constexpr double kRidge = 1e-9;

  /// Rows of the least determinant's subset by default: ceil((n + f + 1) / 2), and at most n.
  [[nodiscard]] static std::int64_t support_size(std::int64_t rows, std::int64_t features);

  /// How many features vary: the degrees of freedom of the corrections. Throws as fit().
  [[nodiscard]] static std::int64_t varying(const FeatureMatrix& rows);

  /// Throws Error{invalid_argument} without rows, for a missing or infinite value, or h outside [1, n].
  [[nodiscard]] static McdFit fit(const FeatureMatrix& rows, std::int64_t h, const McdCorrections& corrections,
                                  std::uint64_t seed, const Execution& execution);

  /// Throws Error{corrupt} for arrays that do not fit each other.
  explicit Mcd(McdArrays arrays);

  /// Scores [n]. O(f^2) a row.
  void score(const FeatureMatrix& rows, std::span<double> scores, const Execution& execution) const;

  /// z_j (precision z)_j for each feature, [n, f]: they sum to the score, and one that speaks for a row is below 0.
  void explain(const FeatureMatrix& rows, MatrixView<double> reasons, const Execution& execution) const;

  [[nodiscard]] const McdArrays& arrays() const noexcept { return arrays_; }

 private:
  template <typename Take>
  void each_row(const FeatureMatrix& rows, const Execution& execution, const Take& take) const;

  McdArrays arrays_;
};

}  // namespace recocore
