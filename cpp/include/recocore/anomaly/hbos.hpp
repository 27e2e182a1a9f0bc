#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "recocore/anomaly/feature_matrix.hpp"
#include "recocore/thread_pool.hpp"

namespace recocore {

/// A histogram of each feature; feature j's bins begin at bins[j], and its edges at bins[j] + j: one more than bins.
struct HistogramArrays {
  std::vector<std::int64_t> bins;  ///< [f + 1]
  std::vector<double> edges;       ///< [bins + f]
  std::vector<double> density;     ///< [bins]: of a feature's present values; they integrate to 1
};

enum class BinKind {
  equal_width,  ///< numpy.histogram's
  equal_count,  ///< edges between quantiles, equal values in one bin
};

/// Histogram-based outlier score (Goldstein and Dengel, KI 2012) as pyod computes it: the sum over features of
/// -log2(density + alpha). A value up to `tolerance` bin widths outside counts as in the nearest bin, one further out
/// as in the emptiest. A missing value adds nothing.
class Hbos {
 public:
  /// Throws Error{invalid_argument} for fewer than 2 bins, no rows or an infinite value. A feature without two
  /// different values has one bin, half a unit to each side; one without any value has none.
  [[nodiscard]] static HistogramArrays fit(const FeatureMatrix& rows, std::int64_t bins, BinKind kind,
                                           const Execution& execution);

  /// Throws Error{corrupt} for arrays that are no histograms, Error{invalid_argument} unless alpha > 0 and tolerance >=
  /// 0.
  Hbos(HistogramArrays arrays, double alpha, double tolerance);

  /// Scores [n]. O(f log bins) a row.
  void score(const FeatureMatrix& rows, std::span<double> scores, const Execution& execution) const;

  /// What each feature adds to the score, [n, f].
  void explain(const FeatureMatrix& rows, MatrixView<double> reasons, const Execution& execution) const;

  [[nodiscard]] const HistogramArrays& arrays() const noexcept { return arrays_; }

 private:
  [[nodiscard]] std::int64_t features() const noexcept;
  [[nodiscard]] double reason(std::int64_t feature, double value) const;

  HistogramArrays arrays_;
  double tolerance_;
  std::vector<double> heights_;  ///< [bins]: -log2(density + alpha)
  std::vector<double> outside_;  ///< [f]: of the emptiest bin
};

}  // namespace recocore
