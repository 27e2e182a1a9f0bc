#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/pairs/kernel.hpp"
#include "ops/similarity/entry_weights.hpp"
#include "recocore/csr.hpp"
#include "recocore/similarity.hpp"
#include "recocore/thread_pool.hpp"

namespace recocore {

/// What is summed over the common columns of rows i and j: their number and, where the kind has weights x of row i and
/// y of row j, the product; only kinds with moments have the rest.
struct PairSums {
  double n = 0.0;
  double xy = 0.0;
  double x = 0.0, y = 0.0, xx = 0.0, yy = 0.0;
};

/// What a kind needs of the common columns of two rows.
enum class SumsNeeded : std::uint8_t { counts, products, moments };
[[nodiscard]] SumsNeeded sums_needed(SimilarityKind kind) noexcept;

/// Whether a pair's number of common columns is needed beside its product.
[[nodiscard]] inline bool needs_support(const SimilarityParams& params) noexcept {
  return params.shrinkage > 0.0 || params.min_support > 1;
}

/// A kind's score from a pair's sums, and the bars by which most pairs can be passed over unscored.
class Formula {
 public:
  /// product: scale · sum / (left_i · right_j). ratio: scale · sum / (left_i + right_j + own · sum).
  enum class Form : std::uint8_t { product, ratio, likelihood, other };

  /// What scores are made of, for those who compute them elsewhere.
  struct Terms {
    Form form;
    double scale;
    double own;
    bool normalised;
    std::span<const double> left;
    std::span<const double> right;
  };

  /// The arguments must outlive this.
  Formula(const CsrView& matrix, const EntryWeights& weights, const SimilarityParams& params,
          const Execution& execution);

  /// The score of j as a neighbour of i, rounded to float32 after float64 arithmetic; 0 where there is none.
  [[nodiscard]] float score(const PairSums& sums, std::int64_t i, std::int64_t j) const {
    double found = 0.0;
    if (form_ == Form::product) {
      const double below = left_[at(i)] * right_[at(j)];
      found = below > 0.0 ? scale_ * sums.xy / below : 0.0;
      if (normalised_) found = std::clamp(found, -1.0, 1.0);  // rounding may have pushed a cosine past 1
    } else {
      found = other_score(sums, i, j);
    }
    if (params_.shrinkage > 0.0) found *= sums.n / (sums.n + params_.shrinkage);
    return static_cast<float>(found);
  }

  /// Whether scores follow from sums and the figures of rows alone, so that scores() may be asked for many at once.
  [[nodiscard]] bool scores_by_figures() const noexcept;
  /// What score() gives row i with each partner, whose sum and figure these are. Only where scores_by_figures().
  void scores(std::int64_t i, std::span<const double> sums, std::span<const double> figures, float* scores) const;
  [[nodiscard]] double figure(std::int64_t j) const noexcept { return right_[at(j)]; }

  [[nodiscard]] Terms terms() const noexcept { return {form_, scale_, own_, normalised_, left_, right_}; }

  /// Whether i is to j what j is to i.
  [[nodiscard]] bool symmetric() const noexcept;

  /// Whether a sum can be compared with bars that are linear in a figure of each row. Pairs of other kinds are scored
  /// one by one, those by likelihood after a look at likelihood_below.
  [[nodiscard]] bool has_bars() const noexcept { return bars_; }
  [[nodiscard]] bool has_likelihood() const noexcept { return form_ == Form::likelihood; }

  /// A score of row i with j reaches `bound` only if the sum is at least alpha * x_j + beta, x_j = partner_figure(j).
  struct Bar {
    float alpha;
    float beta;
  };
  [[nodiscard]] Bar bar(std::int64_t i, float bound) const noexcept;
  [[nodiscard]] float partner_figure(std::int64_t j) const noexcept { return static_cast<float>(figure(j)); }

  /// Terms of rough scores of row i, where there are bars and no shrinkage, when a sum of 1 stands for `unit`.
  [[nodiscard]] kernels::RoughTerms rough_terms(std::int64_t i, double unit) const noexcept {
    const double left = left_[at(i)];
    const double shared = scale_ * unit;
    if (form_ == Form::product) return {0.0F, static_cast<float>(left / shared), 0.0F};
    return {static_cast<float>(left / shared), static_cast<float>(1.0 / shared), static_cast<float>(own_ / scale_)};
  }

  /// Whether rough scores are off by no more than the rounding of their terms: nothing cancels in their denominator.
  [[nodiscard]] bool has_sharp_rough_scores() const noexcept { return bars_ && own_ >= -1.0; }

  /// Whether a count is certainly too low for a likelihood ratio of `bound`. n is at least 1.
  [[nodiscard]] bool likelihood_below(double n, std::int64_t i, std::int64_t j, float bound) const noexcept;

 private:
  /// Up to so many columns x ln x is looked up: 32 MB.
  static constexpr std::int64_t kEntropyTable = std::int64_t{4} * 1024 * 1024;

  static std::size_t at(std::int64_t i) noexcept { return static_cast<std::size_t>(i); }
  [[nodiscard]] double other_score(const PairSums& sums, std::int64_t i, std::int64_t j) const;

  const CsrView& matrix_;
  const SimilarityParams& params_;
  Form form_ = Form::other;
  double scale_ = 1.0;
  double own_ = 0.0;
  bool normalised_ = false;
  bool bars_ = false;
  std::vector<double> left_;
  std::vector<double> right_;
  std::vector<double> entropy_;  // x ln x, for x up to the number of columns
};

}  // namespace recocore
