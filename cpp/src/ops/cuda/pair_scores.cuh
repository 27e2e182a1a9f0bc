// The score of a pair from its sums, as recocore::Formula has it: float64 arithmetic, rounded to float32 at the end.
#pragma once

#include <cstdint>

#include "cuda/device.cuh"

namespace recocore::cuda {

/// recocore::PairSums.
struct PairTotals {
  double n = 0;
  double xy = 0;
  double x = 0, y = 0, xx = 0, yy = 0;
};

enum class PairForm { product, ratio, tversky, likelihood, pearson, corated };

/// recocore::Formula's terms, on the device.
struct PairFormula {
  PairForm form = PairForm::product;
  double scale = 1;
  double own = 0;
  bool is_normalised = false;
  const double* left = nullptr;   ///< of each row; null for ones
  const double* right = nullptr;  ///< of each partner; likewise
  double alpha = 0;
  double beta = 0;
  double columns = 0;
  const std::int32_t* row_entries = nullptr;  ///< n_i, of each row, for tversky and likelihood
  double shrinkage = 0;
};

__device__ inline double ratio_of(double numerator, double denominator) {
  return denominator > 0 ? numerator / denominator : 0.0;
}

/// A cosine that rounding may have pushed past 1.
__device__ inline double within_one(double value) {
  return value > 1 ? 1.0 : value < -1 ? -1.0 : value;
}

__device__ inline double surprise(double observed, double row_total, double column_total, double total) {
  return observed > 0 ? observed * log(observed * total / (row_total * column_total)) : 0.0;
}

__device__ inline double likelihood_ratio(double both, double i, double j, double total) {
  const double one_only = surprise(i - both, i, total - j, total) + surprise(j - both, total - i, j, total);
  const double neither = surprise(total - i - j + both, total - i, total - j, total);
  const double found = 2.0 * (surprise(both, i, j, total) + one_only + neither);
  return found > 0 ? found : 0.0;
}

__device__ inline double correlation(const PairTotals& sums) {
  constexpr double kConstantShare = 1e-10;
  const double n = sums.n;
  if (n < 2) return 0;
  // Rounded one by one, as the host's, or a constant row would not be told by the same bits.
  const double spread_x = __dadd_rn(__dmul_rn(n, sums.xx), -__dmul_rn(sums.x, sums.x));
  const double spread_y = __dadd_rn(__dmul_rn(n, sums.yy), -__dmul_rn(sums.y, sums.y));
  if (spread_x <= kConstantShare * n * sums.xx || spread_y <= kConstantShare * n * sums.yy) return 0;
  const double shared = __dadd_rn(__dmul_rn(n, sums.xy), -__dmul_rn(sums.x, sums.y));
  return within_one(ratio_of(shared, sqrt(spread_x) * sqrt(spread_y)));
}

__device__ inline float score_of_pair(const PairFormula& formula, const PairTotals& sums, std::int64_t i,
                                      std::int64_t j) {
  const double left = formula.left == nullptr ? 1.0 : formula.left[i];
  const double right = formula.right == nullptr ? 1.0 : formula.right[j];
  double found = 0;
  switch (formula.form) {
    case PairForm::product:
      found = ratio_of(__dmul_rn(formula.scale, sums.xy), __dmul_rn(left, right));
      if (formula.is_normalised) found = within_one(found);
      break;
    case PairForm::ratio:
      found = ratio_of(__dmul_rn(formula.scale, sums.xy),
                       __dadd_rn(__dadd_rn(left, right), __dmul_rn(formula.own, sums.xy)));
      break;
    case PairForm::tversky: {
      const double only_i = formula.row_entries[i] - sums.n;
      const double only_j = formula.row_entries[j] - sums.n;
      found = sums.n / __dadd_rn(__dadd_rn(sums.n, __dmul_rn(formula.alpha, only_i)), __dmul_rn(formula.beta, only_j));
      break;
    }
    case PairForm::likelihood:
      found = likelihood_ratio(sums.n, formula.row_entries[i], formula.row_entries[j], formula.columns);
      break;
    case PairForm::pearson: found = correlation(sums); break;
    case PairForm::corated: found = within_one(ratio_of(sums.xy, sqrt(sums.xx) * sqrt(sums.yy))); break;
  }
  if (formula.shrinkage > 0) found = __dmul_rn(found, sums.n / __dadd_rn(sums.n, formula.shrinkage));
  return static_cast<float>(found);
}

}  // namespace recocore::cuda
