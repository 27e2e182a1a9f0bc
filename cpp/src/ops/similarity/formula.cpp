#include "ops/similarity/formula.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace recocore {
namespace {

double ratio(double numerator, double denominator) {
  return denominator > 0.0 ? numerator / denominator : 0.0;
}

/// One cell's part of Dunning's G² / 2: observed · ln(observed / expected). Summed like this no entropies cancel.
double surprise(double observed, double row_total, double column_total, double total) {
  return observed > 0.0 ? observed * std::log(observed * total / (row_total * column_total)) : 0.0;
}

double log_likelihood_ratio(double both, double i, double j, double total) {
  const double one_only = surprise(i - both, i, total - j, total) + surprise(j - both, total - i, j, total);
  const double neither = surprise(total - i - j + both, total - i, total - j, total);
  return std::max(0.0, 2.0 * (surprise(both, i, j, total) + one_only + neither));
}

/// A cosine that rounding may have pushed past 1.
double normalised(double product, double norms) {
  return std::clamp(ratio(product, norms), -1.0, 1.0);
}

/// Below this share of the second moment a variance is rounding: a row's common values are constant (closer to each
/// other than 1e-5 of their distance from the row's mean).
constexpr double kConstantShare = 1e-10;

double pearson(const PairSums& sums) {
  const double n = sums.n;
  if (n < 2.0) return 0.0;
  const double spread_x = n * sums.xx - sums.x * sums.x;
  const double spread_y = n * sums.yy - sums.y * sums.y;
  if (spread_x <= kConstantShare * n * sums.xx || spread_y <= kConstantShare * n * sums.yy) return 0.0;
  return normalised(n * sums.xy - sums.x * sums.y, std::sqrt(spread_x) * std::sqrt(spread_y));
}

template <typename Figure>
std::vector<double> of_rows(std::int64_t rows, const Execution& execution, const Figure& figure) {
  constexpr std::int64_t kRowsEachChunk = 64;
  std::vector<double> figures(static_cast<std::size_t>(rows));
  parallel_for(execution, rows, kRowsEachChunk, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t r = begin; r < end; ++r) figures[static_cast<std::size_t>(r)] = figure(r);
  });
  return figures;
}

/// A bar is lowered by this share, for it and the sum are rounded to float32 on the way to their comparison.
constexpr double kBarSlack = 4e-6;

/// Figures beyond this, or below its inverse, could make products overflow or vanish as float32; so could a figure
/// times a slope below the other one.
constexpr double kBarRange = 1e9;
constexpr double kLeastSlope = 1e-20;

bool in_bar_range(const std::vector<double>& figures) {
  return std::all_of(figures.begin(), figures.end(),
                     [](double f) { return f == 0.0 || (f >= 1.0 / kBarRange && f <= kBarRange); });
}

}  // namespace

SumsNeeded sums_needed(SimilarityKind kind) noexcept {
  switch (kind) {
    case SimilarityKind::jaccard:
    case SimilarityKind::dice:
    case SimilarityKind::tversky:
    case SimilarityKind::lift:
    case SimilarityKind::conditional_probability:
    case SimilarityKind::log_likelihood_ratio:
    case SimilarityKind::cooccurrence: return SumsNeeded::counts;
    case SimilarityKind::adjusted_cosine_corated:
    case SimilarityKind::pearson: return SumsNeeded::moments;
    default: return SumsNeeded::products;
  }
}

Formula::Formula(const CsrView& matrix, const EntryWeights& weights, const SimilarityParams& params,
                 const Execution& execution)
    : matrix_(matrix), params_(params) {
  const std::int64_t rows = matrix.rows;
  const double alpha = params.alpha;
  const double beta = params.beta;
  const auto count = [&](std::int64_t r) { return static_cast<double>(matrix.row(r).size()); };
  const auto square = [&](std::int64_t r) { return weights.square(r); };
  const auto one = [](std::int64_t) { return 1.0; };
  const auto set = [&](Form form, const auto& left, const auto& right) {
    form_ = form;
    left_ = of_rows(rows, execution, left);
    right_ = of_rows(rows, execution, right);
  };
  switch (params.kind) {
    case SimilarityKind::cosine:
    case SimilarityKind::adjusted_cosine:
    case SimilarityKind::pearson_whole:
    case SimilarityKind::tfidf: {
      const auto norm = [&](std::int64_t r) { return std::sqrt(square(r)); };
      set(Form::product, norm, norm);
      normalised_ = true;
      break;
    }
    case SimilarityKind::asymmetric_cosine:
      set(
          Form::product, [&](std::int64_t r) { return std::pow(square(r), alpha); },
          [&](std::int64_t r) { return std::pow(square(r), 1.0 - alpha); });
      break;
    case SimilarityKind::p3alpha:
    case SimilarityKind::rp3beta: {
      // The weights (x / √(row total · column total))^alpha make the walk's product symmetric; these put the row totals
      // back to where it has them.
      const bool penalised = params.kind == SimilarityKind::rp3beta;
      const auto root = [&](std::int64_t r) { return std::pow(weights.row_total(r), alpha / 2.0); };
      set(Form::product, root, [&](std::int64_t r) {
        const double inverse = weights.row_total(r) > 0.0 ? 1.0 / root(r) : 0.0;
        return penalised ? inverse * std::pow(count(r), beta) : inverse;
      });
      break;
    }
    case SimilarityKind::bm25:
    case SimilarityKind::cooccurrence: set(Form::product, one, one); break;
    case SimilarityKind::lift:
      set(Form::product, count, count);
      scale_ = static_cast<double>(matrix.cols);
      break;
    case SimilarityKind::conditional_probability: set(Form::product, count, one); break;
    case SimilarityKind::jaccard:
      set(Form::ratio, count, count);
      own_ = -1.0;
      break;
    case SimilarityKind::dice:
      set(Form::ratio, count, count);
      scale_ = 2.0;
      break;
    case SimilarityKind::tanimoto:
      set(Form::ratio, square, square);
      own_ = -1.0;
      break;
    case SimilarityKind::tversky:
      set(
          Form::ratio, [&](std::int64_t r) { return alpha * count(r); },
          [&](std::int64_t r) { return beta * count(r); });
      own_ = 1.0 - alpha - beta;
      break;
    case SimilarityKind::log_likelihood_ratio: {
      form_ = Form::likelihood;
      entropy_.resize(static_cast<std::size_t>(std::min(matrix.cols, kEntropyTable)) + 1);
      for (std::size_t x = 1; x < entropy_.size(); ++x) {
        const auto value = static_cast<double>(x);
        entropy_[x] = value * std::log(value);
      }
      break;
    }
    case SimilarityKind::adjusted_cosine_corated:
    case SimilarityKind::pearson: break;
  }
  const bool linear = form_ == Form::product || form_ == Form::ratio;
  bars_ = linear && in_bar_range(left_) && in_bar_range(right_);
}

double Formula::other_score(const PairSums& sums, std::int64_t i, std::int64_t j) const {
  switch (form_) {
    case Form::ratio:
      if (params_.kind == SimilarityKind::tversky) {  // in this form nothing cancels, however large alpha and beta are
        const auto only = [&](std::int64_t r) { return static_cast<double>(matrix_.row(r).size()) - sums.n; };
        return sums.n / (sums.n + params_.alpha * only(i) + params_.beta * only(j));
      }
      return ratio(scale_ * sums.xy, left_[at(i)] + right_[at(j)] + own_ * sums.xy);
    case Form::likelihood:
      return log_likelihood_ratio(sums.n, static_cast<double>(matrix_.row(i).size()),
                                  static_cast<double>(matrix_.row(j).size()), static_cast<double>(matrix_.cols));
    case Form::product:
    case Form::other: break;
  }
  if (params_.kind == SimilarityKind::pearson) return pearson(sums);
  return normalised(sums.xy, std::sqrt(sums.xx) * std::sqrt(sums.yy));
}

bool Formula::scores_by_figures() const noexcept {
  const bool figures = form_ == Form::product || (form_ == Form::ratio && params_.kind != SimilarityKind::tversky);
  return figures && params_.shrinkage == 0.0;
}

// Without branches, so that the compiler makes vector loops; each operation rounds as in score().
void Formula::scores(std::int64_t i, std::span<const double> sums, std::span<const double> figures,
                     float* scores) const {
  const double left = left_[at(i)];
  const double scale = scale_;
  const double own = own_;
  const double most = normalised_ ? 1.0 : std::numeric_limits<double>::infinity();
  if (form_ == Form::product) {
    for (std::size_t n = 0; n < sums.size(); ++n) {
      const double below = left * figures[n];
      const double found = scale * sums[n] / below;
      const double bounded = found > most ? most : (found < -most ? -most : found);
      scores[n] = below > 0.0 ? static_cast<float>(bounded) : 0.0F;
    }
  } else {
    for (std::size_t n = 0; n < sums.size(); ++n) {
      const double below = left + figures[n] + own * sums[n];
      const double found = scale * sums[n] / below;
      scores[n] = below > 0.0 ? static_cast<float>(found) : 0.0F;
    }
  }
}

bool Formula::symmetric() const noexcept {
  switch (params_.kind) {
    case SimilarityKind::tversky:
    case SimilarityKind::asymmetric_cosine:
    case SimilarityKind::conditional_probability:
    case SimilarityKind::p3alpha:
    case SimilarityKind::rp3beta: return false;
    default: return true;
  }
}

Formula::Bar Formula::bar(std::int64_t i, float bound) const noexcept {
  constexpr float kNone = -std::numeric_limits<float>::max();
  // Shrinkage only lowers a positive score, so the bar for the unshrunk one is safe; it raises a negative one.
  if (bound == -std::numeric_limits<float>::infinity() || (bound < 0.0F && params_.shrinkage > 0.0))
    return {0.0F, kNone};
  const double wanted = static_cast<double>(bound) - kBarSlack * std::abs(static_cast<double>(bound));
  if (form_ == Form::product) {
    const double slope = wanted * left_[at(i)] / scale_;
    return std::abs(slope) < kLeastSlope ? Bar{0.0F, kNone} : Bar{static_cast<float>(slope), 0.0F};
  }
  const double share = scale_ - wanted * own_;
  if (!(share > 0.0)) return {0.0F, kNone};
  const double slope = wanted / share * (1.0 - std::copysign(kBarSlack, wanted));
  if (std::abs(slope) < kLeastSlope) return {0.0F, kNone};
  return {static_cast<float>(slope), static_cast<float>(slope * left_[at(i)])};
}

bool Formula::likelihood_below(double n, std::int64_t i, std::int64_t j, float bound) const noexcept {
  if (matrix_.cols > kEntropyTable) return false;
  const auto entropy = [&](double x) { return entropy_[static_cast<std::size_t>(x)]; };
  const auto total = static_cast<double>(matrix_.cols);
  const auto of_i = static_cast<double>(matrix_.row(i).size());
  const auto of_j = static_cast<double>(matrix_.row(j).size());
  const double cells = entropy(n) + entropy(of_i - n) + entropy(of_j - n) + entropy(total - of_i - of_j + n);
  const double margins = entropy(of_i) + entropy(total - of_i) + entropy(of_j) + entropy(total - of_j);
  // Terms as large as total · ln(total) cancel here: the margin is far above their rounding.
  const double margin = 1e-12 * entropy(total) + 1e-6 * std::abs(static_cast<double>(bound));
  return 2.0 * (cells + entropy(total) - margins) + margin < static_cast<double>(bound);
}

}  // namespace recocore
