#include "ops/als_cpu.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernels/dense/kernel.hpp"
#include "ops/als_solvers.hpp"
#include "recocore/error.hpp"

namespace recocore {
namespace {

// Rows handed to a thread at a time: few enough to balance rows of very different length.
constexpr std::int64_t kRowGrain = 4;
// Up to this many factors a row's exact system is solved whole; above it, block by block.
constexpr std::int64_t kLargestCholesky = 128;
// Rows of a Gram matrix added up between two checkpoints: with 2048 factors they took 14 ms.
constexpr std::int64_t kGramRows = 64;
// The partial sums of a Gram matrix take at most this many floats (64 MiB).
constexpr std::int64_t kPartialFloats = 16'777'216;

std::size_t at(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

AlsSolver chosen(AlsSolver solver, std::int64_t factors) {
  if (solver != AlsSolver::automatic) return solver;
  return factors <= kLargestCholesky ? AlsSolver::cholesky : AlsSolver::subspace;
}

double row_lambda(const AlsParams& params, std::int64_t entries, std::int64_t others) {
  const double mass = static_cast<double>(entries) + double{params.alpha0} * static_cast<double>(others);
  return double{params.regularization} * std::pow(mass, double{params.nu});
}

std::string refusal(Solved solved, std::int64_t row, const AlsParams& params) {
  const std::string where = "the least-squares system of row " + std::to_string(row) +
                            " at regularization = " + std::to_string(params.regularization) +
                            ", alpha0 = " + std::to_string(params.alpha0) + " and nu = " + std::to_string(params.nu);
  if (solved == Solved::singular)
    return "regularization: " + where + " is singular; raise regularization or alpha0, or use fewer factors";
  return "regularization: " + where + " is beyond float32; lower these or the weights of the interactions";
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

}  // namespace

void gram_cpu(MatrixView<const float> factors, MatrixView<float> out, const Execution& execution) {
  const std::int64_t f = factors.cols;
  // The chunks depend on the shape alone, and are added in order: the same bytes at every thread count.
  const std::int64_t chunks = std::clamp<std::int64_t>(kPartialFloats / (f * f), 1, 64);
  const std::int64_t length = std::max<std::int64_t>(1, (factors.rows + chunks - 1) / chunks);
  std::vector<float> partial(at(chunks * f * f), 0.0F);
  const std::vector<float> ones(at(kGramRows), 1.0F);
  parallel_for(execution, chunks, 1, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t c = begin; c < end; ++c) {
      const std::int64_t last = std::min((c + 1) * length, factors.rows);
      for (std::int64_t first = c * length; first < last; first += kGramRows) {
        checkpoint();
        kernels::dense().syrk_lower_f32(factors.row(first).data(), factors.stride, ones.data(),
                                        std::min(kGramRows, last - first), f, partial.data() + c * f * f, f);
      }
    }
  });
  for (std::int64_t i = 0; i < f; ++i) {
    for (std::int64_t j = 0; j <= i; ++j) {
      double sum = 0;
      for (std::int64_t c = 0; c < chunks; ++c) sum += double{partial[at(c * f * f + i * f + j)]};
      out.row(i)[at(j)] = out.row(j)[at(i)] = static_cast<float>(sum);
    }
  }
}

void als_half_epoch_cpu(const CsrView& interactions, MatrixView<const float> fixed, MatrixView<float> solved_factors,
                        const AlsParams& params, const Execution& execution) {
  const std::int64_t f = fixed.cols;
  std::vector<float> gram_storage(at(f * f));
  gram_cpu(fixed, {gram_storage.data(), f, f}, execution);
  const HalfEpoch half{fixed, {gram_storage.data(), f, f}, params};
  const AlsSolver solver = chosen(params.solver, f);

  std::vector<std::unique_ptr<RowSolver>> solvers(at(resolve_threads(execution.num_threads)));
  parallel_for(execution, interactions.rows, kRowGrain, [&](std::int64_t begin, std::int64_t end, int worker) {
    auto& row_solver = solvers[at(worker)];
    if (!row_solver) row_solver = std::make_unique<RowSolver>(half, solver);
    for (std::int64_t r = begin; r < end; ++r) {
      const auto columns = interactions.row(r);
      const auto lambda = static_cast<float>(row_lambda(params, std::ssize(columns), fixed.rows));
      const Solved solved =
          std::isfinite(lambda)
              ? row_solver->solve({columns, interactions.row_values(r), lambda, solved_factors.row(r)})
              : Solved::overflow;
      require(solved == Solved::yes, [&] { return refusal(solved, r, params); });
    }
  });
}

double als_objective_cpu(const CsrView& interactions, MatrixView<const float> row_factors,
                         MatrixView<const float> col_factors, const AlsParams& params, const Execution& execution) {
  const std::int64_t f = row_factors.cols;
  std::vector<double> row_loss(at(interactions.rows), 0.0);
  parallel_for(execution, interactions.rows, 256, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t r = begin; r < end; ++r) {
      const auto columns = interactions.row(r);
      const auto weights = interactions.row_values(r);
      const auto x = row_factors.row(r);
      for (std::size_t e = 0; e < columns.size(); ++e) {
        const auto y = col_factors.row(columns[e]);
        double prediction = 0;
        for (std::size_t i = 0; i < x.size(); ++i) prediction += double{x[i]} * double{y[i]};
        row_loss[at(r)] += double{weights[e]} * (1 - prediction) * (1 - prediction);
      }
    }
  });
  double loss = 0;
  for (const double l : row_loss) loss += l;

  // The sum over all pairs of (x.y)^2 is the inner product of the two Gram matrices.
  std::vector<float> row_gram(at(f * f));
  std::vector<float> col_gram(at(f * f));
  gram_cpu(row_factors, {row_gram.data(), f, f}, execution);
  gram_cpu(col_factors, {col_gram.data(), f, f}, execution);
  double all_pairs = 0;
  for (std::size_t i = 0; i < row_gram.size(); ++i) all_pairs += double{row_gram[i]} * double{col_gram[i]};

  std::vector<std::int64_t> row_entries(at(interactions.rows));
  for (std::int64_t r = 0; r < interactions.rows; ++r) row_entries[at(r)] = std::ssize(interactions.row(r));
  std::vector<std::int64_t> column_entries(at(interactions.cols), 0);
  for (const std::int32_t c : interactions.indices) ++column_entries[at(c)];
  return loss + double{params.alpha0} * all_pairs +
         regularisation_loss(row_entries, row_factors, params, interactions.cols) +
         regularisation_loss(column_entries, col_factors, params, interactions.rows);
}

}  // namespace recocore
