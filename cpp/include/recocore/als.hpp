#pragma once

#include <cstdint>

#include "recocore/csr.hpp"
#include "recocore/thread_pool.hpp"
#include "recocore/views.hpp"

namespace recocore {

/// How the least-squares problem of one row is solved.
enum class AlsSolver {
  automatic,  ///< cholesky up to 128 factors, subspace above
  cholesky,   ///< exact
  cg,         ///< a few steps of conjugate gradient from the row's present factors
  subspace,   ///< exact in one block of factors after the other, with cached predictions (iALS++)
};

/// The objective, after Rendle et al., "Revisiting the Performance of iALS" (2022), eq. 1-3:
///
///   sum over stored (u, i) of w_ui (1 - x_u.y_i)^2  +  alpha0 * sum over all (u, i) of (x_u.y_i)^2
///   + sum over u of lambda_u |x_u|^2  +  sum over i of lambda_i |y_i|^2,
///   lambda_row = regularization * (stored entries of the row + alpha0 * length of the other side)^nu
struct AlsParams {
  float regularization = 0.002F;
  float alpha0 = 0.05F;
  float nu = 1.0F;
  AlsSolver solver = AlsSolver::automatic;
  int cg_steps = 3;     ///< implicit's default; more steps come closer to the exact solution
  int block_size = 64;  ///< iALS++ reports its best times with blocks of 64 to 128
};

/// The Gram matrix factors^T * factors, `[f, f]`, both triangles. O(rows * f^2). The same bytes at every thread count.
void gram(MatrixView<const float> factors, MatrixView<float> out, const Execution& execution);

/// One half of an epoch: sets each row of `solved` `[rows, f]` to the minimiser (exact solvers) or a better point (the
/// others) of the objective, with `fixed` `[cols, f]` held. Row r has the stored entries of row r of `interactions` as
/// its weights; a row without entries becomes zero. O(nnz * f^2 + rows * f^3) for cholesky.
///
/// Throws Error{invalid_argument} for shapes that do not fit, negative weights or parameters out of range, and where a
/// row's system is singular (regularization 0 and too little data), saying what to change.
void als_half_epoch(const CsrView& interactions, MatrixView<const float> fixed, MatrixView<float> solved,
                    const AlsParams& params, const Execution& execution);

/// The value of the objective, summed in float64. O(nnz * f + (rows + cols) * f^2).
[[nodiscard]] double als_objective(const CsrView& interactions, MatrixView<const float> row_factors,
                                   MatrixView<const float> col_factors, const AlsParams& params,
                                   const Execution& execution);

}  // namespace recocore
