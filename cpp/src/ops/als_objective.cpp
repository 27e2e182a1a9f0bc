// The value of the ALS objective.
#include <cstddef>
#include <span>
#include <vector>

#include "base/per_worker.hpp"
#include "kernels/dense/kernel.hpp"
#include "ops/als_cpu.hpp"

namespace recocore {
namespace {

// Rows whose losses are added up before anything else: the sums depend on the shape alone.
constexpr std::int64_t kRows = 64;

std::size_t at(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

double regularisation_loss(std::span<const std::int64_t> entries, MatrixView<const float> factors,
                           const AlsParams& params, std::int64_t others) {
  double loss = 0;
  for (std::int64_t r = 0; r < factors.rows; ++r) {
    double squared = 0;
    for (const float v : factors.row(r)) squared += double{v} * double{v};
    loss += row_lambda(params, entries[at(r)], others) * squared;
  }
  return loss;
}

/// What one stored entry adds to alpha0 times the square of its prediction, which every pair has.
double entry_loss(const AlsParams& params, float value, double weight, double prediction) {
  const double wanted{preference(params, value)};
  const double squared = (wanted - prediction) * (wanted - prediction);
  if (params.loss == AlsLoss::ials) return weight * squared;
  return (double{params.alpha0} + weight) * squared - double{params.alpha0} * prediction * prediction;
}

}  // namespace

double als_objective_cpu(const AlsInteractions& checked, MatrixView<const float> row_factors,
                         MatrixView<const float> col_factors, const AlsParams& params, const Execution& execution,
                         std::span<const float> offsets) {
  const CsrView& interactions = checked.view();
  const auto& k = kernels::dense();
  const std::int64_t f = row_factors.cols;
  std::vector<double> losses(at((interactions.rows + kRows - 1) / kRows), 0.0);
  parallel_for(execution, interactions.rows, kRows, [&](std::int64_t begin, std::int64_t end, int) {
    double loss = 0;
    for (std::int64_t r = begin; r < end; ++r) {
      checkpoint();
      const auto columns = interactions.row(r);
      const auto values = interactions.row_values(r);
      const float* x = row_factors.row(r).data();
      const std::int64_t begin_entry = interactions.indptr[at(r)];
      for (std::size_t e = 0; e < columns.size(); ++e) {
        const std::int32_t c = columns[e];
        const double prediction{k.dot_f32(x, col_factors.row(c).data(), f)};
        const double own = checked.weights().empty() ? 1 : double{checked.weights()[at(begin_entry) + e]};
        if (params.loss == AlsLoss::ratings) {
          const double error = values[e] - double{offsets.empty() ? 0 : offsets[at(c)]} - prediction;
          loss += own * error * error;
        } else {
          loss += entry_loss(params, values[e], own * double{std::abs(values[e])}, prediction);
        }
      }
    }
    losses[at(begin / kRows)] = loss;
  });
  double loss = 0;
  for (const double l : losses) loss += l;

  // The sum over all pairs of (x.y)^2 is the inner product of the two Gram matrices.
  double all_pairs = 0;
  if (params.alpha0 > 0) {
    std::vector<float> row_gram(at(f * f));
    std::vector<float> col_gram(at(f * f));
    gram_cpu(row_factors, {row_gram.data(), f, f}, execution);
    gram_cpu(col_factors, {col_gram.data(), f, f}, execution);
    for (std::size_t i = 0; i < row_gram.size(); ++i) all_pairs += double{row_gram[i]} * double{col_gram[i]};
  }

  std::vector<std::int64_t> row_entries(at(interactions.rows));
  for (std::int64_t r = 0; r < interactions.rows; ++r) row_entries[at(r)] = std::ssize(interactions.row(r));
  std::vector<std::int64_t> column_entries(at(interactions.cols), 0);
  for (const std::int32_t c : interactions.indices) ++column_entries[at(c)];
  return loss + double{params.alpha0} * all_pairs +
         regularisation_loss(row_entries, row_factors, params, interactions.cols) +
         regularisation_loss(column_entries, col_factors, params, interactions.rows);
}

}  // namespace recocore
