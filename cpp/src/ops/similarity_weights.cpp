#include "ops/similarity_weights.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

namespace recocore {
namespace {

std::size_t at(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

/// One figure a row, from the row's values.
template <typename Figure>
std::vector<double> of_rows(const CsrView& matrix, const Figure& figure) {
  std::vector<double> figures(at(matrix.rows));
  for (std::int64_t r = 0; r < matrix.rows; ++r) figures[at(r)] = figure(matrix.row_values(r));
  return figures;
}

double sum(std::span<const float> values) {
  double total = 0.0;
  for (const float v : values) total += v;
  return total;
}

double mean(std::span<const float> values) {
  return values.empty() ? 0.0 : sum(values) / static_cast<double>(values.size());
}

/// The weight of each entry in the matrix's own order; weight(row, column, value).
template <typename Weight>
std::vector<double> weigh(const CsrView& matrix, const Weight& weight) {
  std::vector<double> weights;
  weights.reserve(matrix.indices.size());
  for (std::int64_t r = 0; r < matrix.rows; ++r) {
    const auto columns = matrix.row(r);
    const auto values = matrix.row_values(r);
    for (std::size_t e = 0; e < columns.size(); ++e)
      weights.push_back(weight(at(r), at(columns[e]), static_cast<double>(values[e])));
  }
  return weights;
}

/// Both sides weighed alike; weight(row of `matrix`, column of `matrix`, value).
template <typename Weight>
EntryWeights alike(const CsrView& matrix, const CsrView& transposed, const Weight& weight) {
  return {weigh(matrix, weight), weigh(transposed, [&](std::size_t column, std::size_t row, double value) {
            return weight(row, column, value);
          })};
}

/// ln M - ln(1 + df), and 0 for a column that (nearly) every row has, where that is negative: it tells rows apart no
/// better.
std::vector<double> inverse_document_frequency(const CsrView& matrix, const CsrView& transposed) {
  const double rows = static_cast<double>(matrix.rows);
  return of_rows(transposed, [rows](std::span<const float> column) {
    return std::max(0.0, std::log(rows) - std::log1p(static_cast<double>(column.size())));
  });
}

EntryWeights bm25(const CsrView& matrix, const CsrView& transposed, const SimilarityParams& params) {
  const double k1 = params.k1;
  const auto idf = inverse_document_frequency(matrix, transposed);
  std::vector<double> saturation = of_rows(matrix, sum);  // row lengths, then k1 (1 - b + b length / mean length)
  double mean_length = 0.0;
  for (const double length : saturation) mean_length += length / static_cast<double>(matrix.rows);
  for (double& s : saturation) s = k1 * (1.0 - params.b + (mean_length > 0.0 ? params.b * s / mean_length : 0.0));
  return alike(matrix, transposed, [&](std::size_t row, std::size_t column, double x) {
    return x > 0.0 ? x * (k1 + 1.0) / (saturation[row] + x) * idf[column] : 0.0;
  });
}

EntryWeights random_walk(const CsrView& matrix, const CsrView& transposed, double alpha) {
  const auto step = [alpha](const std::vector<double>& totals) {
    return [&totals, alpha](std::size_t from, std::size_t, double x) {
      return x > 0.0 ? std::pow(x / totals[from], alpha) : 0.0;
    };
  };
  const auto row_totals = of_rows(matrix, sum);
  const auto column_totals = of_rows(transposed, sum);
  return {weigh(matrix, step(row_totals)), weigh(transposed, step(column_totals))};
}

}  // namespace

EntryWeights entry_weights(const CsrView& matrix, const CsrView& transposed, const SimilarityParams& params) {
  switch (params.kind) {
    case SimilarityKind::adjusted_cosine:
    case SimilarityKind::adjusted_cosine_corated: {
      const auto means = of_rows(transposed, mean);
      return alike(matrix, transposed,
                   [&](std::size_t, std::size_t column, double value) { return value - means[column]; });
    }
    case SimilarityKind::pearson:  // any shift of a row leaves it the same; this one keeps the moments from cancelling
    case SimilarityKind::pearson_whole: {
      const auto means = of_rows(matrix, mean);
      return alike(matrix, transposed, [&](std::size_t row, std::size_t, double value) { return value - means[row]; });
    }
    case SimilarityKind::tfidf: {
      const auto idf = inverse_document_frequency(matrix, transposed);
      return alike(matrix, transposed,
                   [&](std::size_t, std::size_t column, double value) { return std::sqrt(value) * idf[column]; });
    }
    case SimilarityKind::bm25: return bm25(matrix, transposed, params);
    case SimilarityKind::p3alpha:
    case SimilarityKind::rp3beta: return random_walk(matrix, transposed, params.alpha);
    default: return alike(matrix, transposed, [](std::size_t, std::size_t, double value) { return value; });
  }
}

}  // namespace recocore
