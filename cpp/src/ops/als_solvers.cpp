#include "ops/als_solvers.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/finite.hpp"
#include "kernels/dense/kernel.hpp"
#include "ops/cholesky.hpp"

namespace recocore {
namespace {

// Entries whose factors are copied next to each other before they are added up: 64 rows of 128 floats fill a 32 KiB L1.
constexpr std::int64_t kGather = 64;

std::size_t at(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

}  // namespace

RowSolver::RowSolver(const HalfEpoch& half, AlsSolver solver) : half_(half), solver_(solver) {
  const std::int64_t f = half.factors();
  const std::int64_t width = solver == AlsSolver::subspace ? std::min<std::int64_t>(f, half.params.block_size) : f;
  right_.resize(at(f));
  gathered_.resize(at(kGather * width));
  if (solver == AlsSolver::cg) {
    residual_.resize(at(f));
    direction_.resize(at(f));
    product_.resize(at(f));
  } else {
    matrix_.resize(at(width * width));
  }
}

Solved RowSolver::solve(const Row& row) {
  if (row.columns.empty()) {
    std::fill(row.x.begin(), row.x.end(), 0.0F);
    return Solved::yes;
  }
  Solved solved = Solved::yes;
  switch (solver_) {
    case AlsSolver::cg: solve_cg(row); break;
    case AlsSolver::subspace: solved = solve_subspace(row); break;
    case AlsSolver::automatic:
    case AlsSolver::cholesky: solved = solve_cholesky(row); break;
  }
  return solved == Solved::yes && !all_finite(row.x) ? Solved::overflow : solved;
}

std::int64_t RowSolver::gather(const Row& row, std::int64_t first, std::int64_t begin, std::int64_t width) {
  checkpoint();  // a row may have any number of entries
  const std::int64_t count = std::min<std::int64_t>(kGather, std::ssize(row.columns) - first);
  for (std::int64_t e = 0; e < count; ++e) {
    const auto source = half_.fixed.row(row.columns[at(first + e)]).subspan(at(begin), at(width));
    std::copy(source.begin(), source.end(), gathered_.begin() + e * width);
  }
  return count;
}

Solved RowSolver::solve_cholesky(const Row& row) {
  const auto& k = kernels::dense();
  const std::int64_t f = half_.factors();
  for (std::int64_t i = 0; i < f; ++i) {
    const auto gram_row = half_.gram.row(i);
    for (std::int64_t j = 0; j <= i; ++j) matrix_[at(i * f + j)] = half_.params.alpha0 * gram_row[at(j)];
    matrix_[at(i * f + i)] += row.lambda;
  }
  std::fill(right_.begin(), right_.end(), 0.0F);
  for (std::int64_t first = 0; first < std::ssize(row.columns); first += kGather) {
    const std::int64_t count = gather(row, first, 0, f);
    const float* weights = row.weights.data() + first;
    k.syrk_lower_f32(gathered_.data(), f, weights, count, f, matrix_.data(), f);
    for (std::int64_t e = 0; e < count; ++e) k.axpy_f32(weights[e], gathered_.data() + e * f, right_.data(), f);
  }
  const Solved solved = cholesky_.solve(matrix_.data(), right_.data(), f);
  if (solved == Solved::yes) std::copy(right_.begin(), right_.end(), row.x.begin());
  return solved;
}

void RowSolver::solve_cg(const Row& row) {
  const auto& k = kernels::dense();
  const std::int64_t f = half_.factors();
  // out = (alpha0 G + lambda I) v, then the row's entries are added by the callers below.
  const auto regularised_gram = [&](const float* v, float* out) {
    for (std::int64_t i = 0; i < f; ++i)
      out[i] = half_.params.alpha0 * k.dot_f32(half_.gram.row(i).data(), v, f) + row.lambda * v[i];
  };
  regularised_gram(row.x.data(), residual_.data());
  for (float& r : residual_) r = -r;
  for (std::size_t e = 0; e < row.columns.size(); ++e) {
    const float* y = half_.fixed.row(row.columns[e]).data();
    k.axpy_f32(row.weights[e] * (1 - k.dot_f32(y, row.x.data(), f)), y, residual_.data(), f);
  }
  direction_ = residual_;
  float squared = k.dot_f32(residual_.data(), residual_.data(), f);
  for (int step = 0; step < half_.params.cg_steps; ++step) {
    if (squared <= std::numeric_limits<float>::min()) return;
    checkpoint();
    regularised_gram(direction_.data(), product_.data());
    for (std::size_t e = 0; e < row.columns.size(); ++e) {
      const float* y = half_.fixed.row(row.columns[e]).data();
      k.axpy_f32(row.weights[e] * k.dot_f32(y, direction_.data(), f), y, product_.data(), f);
    }
    const float curvature = k.dot_f32(direction_.data(), product_.data(), f);
    if (!(curvature > 0)) return;
    const float length = squared / curvature;
    k.axpy_f32(length, direction_.data(), row.x.data(), f);
    k.axpy_f32(-length, product_.data(), residual_.data(), f);
    const float next = k.dot_f32(residual_.data(), residual_.data(), f);
    for (std::int64_t i = 0; i < f; ++i) direction_[at(i)] = residual_[at(i)] + next / squared * direction_[at(i)];
    squared = next;
  }
}

Solved RowSolver::solve_subspace(const Row& row) {
  // Rendle et al., "iALS++: Speeding up Matrix Factorization with Subspace Optimization" (2021), section 4.
  const auto& k = kernels::dense();
  const std::int64_t f = half_.factors();
  const std::int64_t entries = std::ssize(row.columns);
  predictions_.resize(at(entries));
  for (std::int64_t e = 0; e < entries; ++e)
    predictions_[at(e)] = k.dot_f32(half_.fixed.row(row.columns[at(e)]).data(), row.x.data(), f);

  const std::int64_t block = std::min<std::int64_t>(f, half_.params.block_size);
  for (std::int64_t begin = 0; begin < f; begin += block) {
    const std::int64_t width = std::min(block, f - begin);
    for (std::int64_t i = 0; i < width; ++i) {
      const auto gram_row = half_.gram.row(begin + i);
      for (std::int64_t j = 0; j <= i; ++j) matrix_[at(i * width + j)] = half_.params.alpha0 * gram_row[at(begin + j)];
      matrix_[at(i * width + i)] += row.lambda;
      right_[at(i)] =
          half_.params.alpha0 * k.dot_f32(gram_row.data(), row.x.data(), f) + row.lambda * row.x[at(begin + i)];
    }
    for (std::int64_t first = 0; first < entries; first += kGather) {
      const std::int64_t count = gather(row, first, begin, width);
      k.syrk_lower_f32(gathered_.data(), width, row.weights.data() + first, count, width, matrix_.data(), width);
      for (std::int64_t e = 0; e < count; ++e)
        k.axpy_f32(row.weights[at(first + e)] * (predictions_[at(first + e)] - 1), gathered_.data() + e * width,
                   right_.data(), width);
    }
    const Solved solved = cholesky_.solve(matrix_.data(), right_.data(), width);
    if (solved != Solved::yes) return solved;
    k.axpy_f32(-1, right_.data(), row.x.data() + begin, width);
    for (std::int64_t e = 0; e < entries; ++e)
      predictions_[at(e)] -= k.dot_f32(half_.fixed.row(row.columns[at(e)]).data() + begin, right_.data(), width);
  }
  return Solved::yes;
}

}  // namespace recocore
