#include "ops/similarity/entry_weights.hpp"

#include <algorithm>
#include <cstddef>

namespace recocore {
namespace {

double sum(std::span<const float> values) {
  double total = 0.0;
  for (const float v : values) total += v;
  return total;
}

std::vector<double> row_totals(const CsrView& matrix) {
  std::vector<double> totals(static_cast<std::size_t>(matrix.rows));
  for (std::int64_t r = 0; r < matrix.rows; ++r) totals[static_cast<std::size_t>(r)] = sum(matrix.row_values(r));
  return totals;
}

std::vector<double> row_means(const CsrView& matrix) {
  std::vector<double> means = row_totals(matrix);
  for (std::int64_t r = 0; r < matrix.rows; ++r)
    means[static_cast<std::size_t>(r)] /= std::max(1.0, static_cast<double>(matrix.row(r).size()));
  return means;
}

std::vector<double> column_totals(const CsrView& matrix) {
  std::vector<double> totals(static_cast<std::size_t>(matrix.cols));
  for (std::size_t e = 0; e < matrix.indices.size(); ++e)
    totals[static_cast<std::size_t>(matrix.indices[e])] += matrix.values[e];
  return totals;
}

std::vector<double> column_counts(const CsrView& matrix) {
  std::vector<double> counts(static_cast<std::size_t>(matrix.cols));
  for (const std::int32_t column : matrix.indices) counts[static_cast<std::size_t>(column)] += 1.0;
  return counts;
}

std::vector<double> column_means(const CsrView& matrix) {
  std::vector<double> means = column_totals(matrix);
  const std::vector<double> counts = column_counts(matrix);
  for (std::size_t c = 0; c < means.size(); ++c) means[c] /= std::max(1.0, counts[c]);
  return means;
}

/// ln M - ln(1 + df), and 0 for a column that (nearly) every row has, where that is negative: it tells rows apart no
/// better.
std::vector<double> inverse_document_frequency(const CsrView& matrix) {
  std::vector<double> figures = column_counts(matrix);
  const double all = std::log(static_cast<double>(matrix.rows));
  for (double& f : figures) f = std::max(0.0, all - std::log1p(f));
  return figures;
}

/// k1 (1 - b + b length / mean length) for each row.
std::vector<double> saturation(const CsrView& matrix, double k1, double b) {
  std::vector<double> figures = row_totals(matrix);
  double mean_length = 0.0;
  for (const double length : figures) mean_length += length / static_cast<double>(matrix.rows);
  for (double& f : figures) f = k1 * (1.0 - b + (mean_length > 0.0 ? b * f / mean_length : 0.0));
  return figures;
}

}  // namespace

EntryWeights::EntryWeights(const CsrView& matrix, const SimilarityParams& params)
    : matrix_(matrix), k1_(params.k1), alpha_(params.alpha) {
  switch (params.kind) {
    case SimilarityKind::adjusted_cosine:
    case SimilarityKind::adjusted_cosine_corated:
      form_ = Form::column_centred;
      columns_ = column_means(matrix);
      break;
    case SimilarityKind::pearson:  // any shift of a row leaves it the same; this one keeps the moments from cancelling
    case SimilarityKind::pearson_whole:
      form_ = Form::row_centred;
      rows_ = row_means(matrix);
      break;
    case SimilarityKind::tfidf:
      form_ = Form::tfidf;
      columns_ = inverse_document_frequency(matrix);
      break;
    case SimilarityKind::bm25:
      form_ = Form::bm25;
      rows_ = saturation(matrix, params.k1, params.b);
      columns_ = inverse_document_frequency(matrix);
      break;
    case SimilarityKind::p3alpha:
    case SimilarityKind::rp3beta:
      form_ = Form::random_walk;
      rows_ = row_totals(matrix);
      columns_ = column_totals(matrix);
      break;
    default: break;
  }
}

double EntryWeights::square(std::int64_t row) const {
  const auto columns = matrix_.row(row);
  const auto values = matrix_.row_values(row);
  double squares = 0.0;
  for (std::size_t e = 0; e < columns.size(); ++e) {
    const double w = (*this)(row, columns[e], values[e]);
    squares += w * w;
  }
  return squares;
}

double EntryWeights::total(std::int64_t row) const {
  const auto columns = matrix_.row(row);
  const auto values = matrix_.row_values(row);
  double total = 0.0;
  for (std::size_t e = 0; e < columns.size(); ++e) total += (*this)(row, columns[e], values[e]);
  return total;
}

}  // namespace recocore
