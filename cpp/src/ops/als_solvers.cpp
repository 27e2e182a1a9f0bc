// The exact solvers, and what all solvers share.
#include "ops/als_solvers.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/finite.hpp"
#include "kernels/least_squares/kernel.hpp"
#include "ops/als_cpu.hpp"

namespace recocore {
namespace {

std::size_t at(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

/// The roots of the weights and the pulls of entries in an implicit loss; `own` gives each its own weight.
template <typename Own>
void weigh_entries(const AlsParams& params, const float* values, std::int64_t entries, const Own& own, float* scales,
                   float* pulls) {
  const AlsParams fixed = params;  // of which the compiler knows that no write changes it
  for (std::int64_t e = 0; e < entries; ++e) {
    const float weight = own(e) * std::abs(values[e]);
    scales[e] = std::sqrt(weight);
    pulls[e] = pull(fixed, values[e], weight);
  }
}

}  // namespace

RowSolver::RowSolver(const AlsBasis& basis, const AlsPlan& plan, const AlsParams& params, const RightSides& right_sides)
    : basis_(basis),
      plan_(plan),
      params_(params),
      right_sides_(right_sides),
      factors_(basis.factors()),
      width_(padded(basis.factors())),
      distance_(row_distance(basis.factors())),
      right_(width_),
      diagonal_(width_) {}

void RowSolver::weigh(const Row& row) {
  const auto entries = std::ssize(row.columns);
  scales_.resize(padded(entries));
  pulls_.resize(padded(entries));
  // Loops without branches, which the compiler turns into vectors.
  float* scales = scales_.data();
  float* pulls = pulls_.data();
  const float* values = row.values.data();
  const float* weights = row.weights.data();
  if (params_.loss == AlsLoss::ratings) {
    for (std::int64_t e = 0; e < entries; ++e)
      pulls[e] = values[e] - (right_sides_.offsets.empty() ? 0.0F : right_sides_.offsets[at(row.columns[at(e)])]);
    for (std::int64_t e = 0; e < entries; ++e) {
      const float weight = row.weights.empty() ? 1.0F : weights[e];
      scales[e] = std::sqrt(weight);
      pulls[e] *= weight;
    }
  } else if (row.weights.empty()) {
    weigh_entries(params_, values, entries, [](std::int64_t) { return 1.0F; }, scales, pulls);
  } else {
    weigh_entries(params_, values, entries, [weights](std::int64_t e) { return weights[e]; }, scales, pulls);
  }
  start_right_side(row);
  tiled_ = false;
}

void RowSolver::start_right_side(const Row& row) {
  std::fill_n(right_.data(), width_, 0.0F);
  if (row.features.empty()) return;
  const auto count = std::ssize(row.features);
  steps_.resize(padded(count));
  for (std::int64_t k = 0; k < count; ++k)
    steps_.data()[k] = static_cast<float>(row.lambda * double{row.feature_values[at(k)]});
  kernels::least_squares().add_rows(right_sides_.feature_weights, width_, row.features.data(), steps_.data(), count,
                                    width_, right_.data());
}

Solved RowSolver::solve(const Row& row) {
  if (row.columns.empty()) {
    std::fill(row.x.begin(), row.x.end(), 0.0F);
    ++report_.empty;
    return Solved::yes;
  }
  weigh(row);
  const auto entries = std::ssize(row.columns);
  Solved solved = Solved::yes;
  if (entries <= plan_.dual_limit && dual_fits(row)) {
    solved = solve_dual(row);
    ++report_.dual;
    report_.flops += dual_flops(entries, factors_);
  } else if (plan_.others == AlsSolver::cg) {
    solved = solve_cg(row);
    ++report_.cg;
    report_.flops += cg_flops(entries, factors_, params_.cg_steps);
  } else if (plan_.others == AlsSolver::subspace) {
    solved = solve_subspace(row);
    ++report_.subspace;
    report_.flops += subspace_flops(entries, factors_, params_.block_size);
  } else {
    solved = solve_primal(row);
    ++report_.primal;
    report_.flops += primal_flops(entries, factors_);
  }
  return solved == Solved::yes && !all_finite(row.x) ? Solved::overflow : solved;
}

Solved RowSolver::solve_shared(const Row& row, const Execution& execution) {
  weigh(row);
  const auto entries = std::ssize(row.columns);
  start_matrix(row.lambda);
  add_gram(basis_.fixed(), basis_.stride(), row.columns.data(), scales_.data(), entries, factors_, matrix_.data(),
           execution);
  const std::int64_t step = entries_at_a_time(factors_);
  for (std::int64_t first = 0; first < entries; first += step)
    add_right_side(row, first, std::min(step, entries - first));
  ++report_.primal;
  report_.flops += primal_flops(entries, factors_);
  return finish_primal(row);
}

void RowSolver::start_matrix(double lambda) {
  matrix_.resize(width_ * distance_);
  float* matrix = matrix_.data();
  for (std::int64_t i = 0; i < width_; ++i) {
    const std::int64_t from = i / kernels::kLane * kernels::kLane;
    if (basis_.rotated()) {
      std::fill_n(matrix + i * distance_ + from, width_ - from, 0.0F);
    } else {
      std::copy_n(basis_.dense() + i * distance_ + from, width_ - from, matrix + i * distance_ + from);
    }
  }
  for (std::int64_t i = 0; i < factors_; ++i)
    matrix[i * distance_ + i] = static_cast<float>(basis_.diagonal()[at(i)] + lambda);
}

void RowSolver::add_right_side(const Row& row, std::int64_t first, std::int64_t count) {
  kernels::least_squares().add_rows(basis_.fixed(), basis_.stride(), row.columns.data() + first, pulls_.data() + first,
                                    count, width_, right_.data());
}

Solved RowSolver::finish_primal(const Row& row) {
  const Solved solved = solve_positive_definite(matrix_.data(), distance_, right_.data(), factors_);
  if (solved == Solved::yes) std::copy_n(right_.data(), factors_, row.x.begin());
  return solved;
}

Solved RowSolver::solve_primal(const Row& row) {
  const auto& k = kernels::least_squares();
  const auto entries = std::ssize(row.columns);
  const std::int64_t step = entries_at_a_time(factors_);
  tile_.resize(step * distance_);
  start_matrix(row.lambda);
  for (std::int64_t first = 0; first < entries; first += step) {
    checkpoint();  // a row may have any number of entries
    const std::int64_t count = std::min(step, entries - first);
    k.gather_rows(basis_.fixed(), basis_.stride(), row.columns.data() + first, 0, scales_.data() + first, count, width_,
                  tile_.data(), distance_);
    k.add_gram(tile_.data(), distance_, count, width_, matrix_.data(), distance_);
    add_right_side(row, first, count);
  }
  checkpoint();
  return finish_primal(row);
}

bool RowSolver::dual_fits(const Row& row) const {
  // An entry without weight has no unknown of its own; where it pulls all the same, only the primal has a place for it.
  if (params_.loss == AlsLoss::original && std::find(scales_.data(), scales_.data() + std::ssize(row.columns), 0.0F) !=
                                               scales_.data() + std::ssize(row.columns))
    return false;
  // The dual divides by D; where that is rounding error, the primal says whether the system is singular.
  return basis_.least() + row.lambda > (basis_.most() + row.lambda) * 1e-6;
}

// With Z = sqrt(W) Y and b = Z^T s: (D + Z^T Z)^-1 Z^T s = D^-1 Z^T (I + Z D^-1 Z^T)^-1 s, and D is diagonal here.
// Nothing cancels: the system's eigenvalues are all at least 1. A prior p adds q = D^-1 lambda p, what it is without
// entries, and those then account for what q does not: s - Z q in the place of s.
Solved RowSolver::solve_dual(const Row& row) {
  const auto& k = kernels::least_squares();
  const auto entries = std::ssize(row.columns);
  const std::int64_t unknowns = padded(entries);
  const std::int64_t distance = row_distance(entries);
  tile_.resize(width_ * distance);
  matrix_.resize(unknowns * distance);
  steps_.resize(unknowns);
  float* roots = diagonal_.data();  // 1 / sqrt(D), zero in the padding
  for (std::int64_t i = 0; i < factors_; ++i)
    roots[i] = 1 / std::sqrt(static_cast<float>(basis_.diagonal()[at(i)] + row.lambda));
  k.gather_columns(basis_.fixed(), basis_.stride(), row.columns.data(), 0, scales_.data(), roots, entries, width_,
                   tile_.data(), distance);
  for (std::int64_t i = 0; i < unknowns; ++i) {
    std::fill_n(matrix_.data() + i * distance, unknowns, 0.0F);
    matrix_.data()[i * distance + i] = i < entries ? 1.0F : 0.0F;
  }
  k.add_gram(tile_.data(), distance, factors_, unknowns, matrix_.data(), distance);
  float* u = steps_.data();
  for (std::int64_t e = 0; e < unknowns; ++e)
    u[e] = e < entries && scales_.data()[e] > 0 ? pulls_.data()[e] / scales_.data()[e] : 0.0F;
  if (!row.features.empty()) {
    x_.resize(width_);
    predictions_.resize(unknowns);
    for (std::int64_t i = 0; i < factors_; ++i) x_.data()[i] = right_.data()[i] * roots[i] * roots[i];
    k.dot_rows(basis_.fixed(), basis_.stride(), row.columns.data(), entries, x_.data(), width_, predictions_.data());
    for (std::int64_t e = 0; e < entries; ++e) u[e] -= scales_.data()[e] * predictions_.data()[e];
  }
  const Solved solved = solve_positive_definite(matrix_.data(), distance, u, entries);
  if (solved != Solved::yes) return solved;
  for (std::int64_t e = 0; e < entries; ++e) u[e] *= scales_.data()[e];
  k.add_rows(basis_.fixed(), basis_.stride(), row.columns.data(), u, entries, width_, right_.data());
  for (std::int64_t i = 0; i < factors_; ++i) row.x[at(i)] = right_.data()[i] * roots[i] * roots[i];
  return Solved::yes;
}

}  // namespace recocore
