#include "ops/similarity_cpu.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "ops/similarity_pass.hpp"
#include "recocore/error.hpp"

namespace recocore {
namespace {

std::size_t at(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

double ratio(double numerator, double denominator) {
  return denominator > 0.0 ? numerator / denominator : 0.0;
}

/// A cosine that rounding may have pushed past 1.
double normalised(double product, double norms) {
  return std::clamp(ratio(product, norms), -1.0, 1.0);
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

/// Below this share of the second moment a variance is rounding: a row's common values are constant (closer to each
/// other than 1e-5 of their distance from the row's mean).
constexpr double kConstantShare = 1e-10;

double pearson(const Moments& sums) {
  const double n = sums.n;
  if (sums.n < 2) return 0.0;
  const double spread_x = n * sums.xx - sums.x * sums.x;
  const double spread_y = n * sums.yy - sums.y * sums.y;
  if (spread_x <= kConstantShare * n * sums.xx || spread_y <= kConstantShare * n * sums.yy) return 0.0;
  return normalised(n * sums.xy - sums.x * sums.y, std::sqrt(spread_x) * std::sqrt(spread_y));
}

[[noreturn]] void no_formula() {
  throw Error(ErrorCode::internal, "similarity: a kind without a formula");
}

CsrMatrix by_counts(const CsrView& matrix, const SimilarityParams& params,
                    const std::optional<std::span<const std::int32_t>>& rows, const Execution& execution) {
  SimilarityPass<Counts> pass(matrix, params, rows, execution);
  const auto columns = static_cast<double>(matrix.cols);
  const double alpha = params.alpha;
  const double beta = params.beta;
  const auto run = [&pass](const auto& formula) {  // formula(n_ij, n_i, n_j)
    return pass.run([&](const Counts& sums, std::int64_t i, std::int64_t j) {
      return formula(static_cast<double>(sums.n), pass.count(i), pass.count(j));
    });
  };
  switch (params.kind) {
    case SimilarityKind::jaccard: return run([](double n, double i, double j) { return n / (i + j - n); });
    case SimilarityKind::dice: return run([](double n, double i, double j) { return 2.0 * n / (i + j); });
    case SimilarityKind::tversky:
      return run([=](double n, double i, double j) { return n / (n + alpha * (i - n) + beta * (j - n)); });
    case SimilarityKind::lift: return run([=](double n, double i, double j) { return n * columns / (i * j); });
    case SimilarityKind::conditional_probability: return run([](double n, double i, double) { return n / i; });
    case SimilarityKind::log_likelihood_ratio:
      return run([=](double n, double i, double j) { return log_likelihood_ratio(n, i, j, columns); });
    case SimilarityKind::cooccurrence: return run([](double n, double, double) { return n; });
    default: no_formula();
  }
}

CsrMatrix by_products(const CsrView& matrix, const SimilarityParams& params,
                      const std::optional<std::span<const std::int32_t>>& rows, const Execution& execution) {
  SimilarityPass<Products> pass(matrix, params, rows, execution);
  switch (params.kind) {
    case SimilarityKind::cosine:
    case SimilarityKind::adjusted_cosine:
    case SimilarityKind::pearson_whole:
    case SimilarityKind::tfidf: {
      const auto norms = pass.of_rows([&](std::int64_t row) { return std::sqrt(pass.square(row)); });
      return pass.run([&](const Products& sums, std::int64_t i, std::int64_t j) {
        return normalised(sums.xy, norms[at(i)] * norms[at(j)]);
      });
    }
    case SimilarityKind::tanimoto: {
      const auto squares = pass.of_rows([&](std::int64_t row) { return pass.square(row); });
      return pass.run([&](const Products& sums, std::int64_t i, std::int64_t j) {
        return ratio(sums.xy, squares[at(i)] + squares[at(j)] - sums.xy);
      });
    }
    case SimilarityKind::asymmetric_cosine: {
      const auto left = pass.of_rows([&](std::int64_t row) { return std::pow(pass.square(row), params.alpha); });
      const auto right = pass.of_rows([&](std::int64_t row) { return std::pow(pass.square(row), 1.0 - params.alpha); });
      return pass.run([&](const Products& sums, std::int64_t i, std::int64_t j) {
        return ratio(sums.xy, left[at(i)] * right[at(j)]);
      });
    }
    case SimilarityKind::bm25:
    case SimilarityKind::p3alpha:
      return pass.run([](const Products& sums, std::int64_t, std::int64_t) { return sums.xy; });
    case SimilarityKind::rp3beta: {
      const auto penalties = pass.of_rows([&](std::int64_t row) { return std::pow(pass.count(row), params.beta); });
      return pass.run(
          [&](const Products& sums, std::int64_t, std::int64_t j) { return ratio(sums.xy, penalties[at(j)]); });
    }
    default: no_formula();
  }
}

CsrMatrix by_moments(const CsrView& matrix, const SimilarityParams& params,
                     const std::optional<std::span<const std::int32_t>>& rows, const Execution& execution) {
  SimilarityPass<Moments> pass(matrix, params, rows, execution);
  switch (params.kind) {
    case SimilarityKind::adjusted_cosine_corated:
      return pass.run([](const Moments& sums, std::int64_t, std::int64_t) {
        return normalised(sums.xy, std::sqrt(sums.xx) * std::sqrt(sums.yy));
      });
    case SimilarityKind::pearson:
      return pass.run([](const Moments& sums, std::int64_t, std::int64_t) { return pearson(sums); });
    default: no_formula();
  }
}

}  // namespace

CsrMatrix similarity_cpu(const CsrView& matrix, const SimilarityParams& params,
                         const std::optional<std::span<const std::int32_t>>& rows, const Execution& execution) {
  switch (params.kind) {
    case SimilarityKind::jaccard:
    case SimilarityKind::dice:
    case SimilarityKind::tversky:
    case SimilarityKind::lift:
    case SimilarityKind::conditional_probability:
    case SimilarityKind::log_likelihood_ratio:
    case SimilarityKind::cooccurrence: return by_counts(matrix, params, rows, execution);
    case SimilarityKind::adjusted_cosine_corated:
    case SimilarityKind::pearson: return by_moments(matrix, params, rows, execution);
    default: return by_products(matrix, params, rows, execution);
  }
}

}  // namespace recocore
