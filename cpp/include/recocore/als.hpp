#pragma once

#include <cstdint>
#include <span>

#include "recocore/csr.hpp"
#include "recocore/thread_pool.hpp"
#include "recocore/views.hpp"

namespace recocore {

/// How the least-squares problem of one row is solved.
enum class AlsSolver {
  automatic,  ///< cg, but the dual where it is exact for a step more; cholesky where all rows are cheaper that way
  cholesky,   ///< exact: the f x f system, or its dual with one unknown for each entry where that costs less
  cg,         ///< a few steps of conjugate gradient from the row's present factors, preconditioned by the Gram matrix
  subspace,   ///< exact in one block of factors after the other, with cached predictions (iALS++)
};

/// Which errors are weighed, with v the stored value of an entry, u its own weight, w = u |v|, and p = 1 where v >= 0,
/// else negative_preference (a dislike).
enum class AlsLoss {
  ials,      ///< Rendle et al. 2022: sum over stored of w (p - x.y)^2 + alpha0 * sum over all of (x.y)^2
  original,  ///< Hu, Koren, Volinsky 2008: sum over all of c (p - x.y)^2; c = alpha0 + w, and not stored w = 0, p = 0
  ratings,   ///< explicit feedback: sum over stored of u (v - offset - x.y)^2; alpha0 is 0
};

/// The objective: the loss + sum over rows of lambda_row |x_row|^2, the same for columns, and
/// lambda_row = regularization * (stored entries of the row + alpha0 * length of the other side)^nu
/// (Rendle et al., "Revisiting the Performance of iALS", 2022, eq. 1-3).
struct AlsParams {
  float regularization = 0.002F;
  float alpha0 = 0.05F;
  float nu = 1.0F;
  AlsLoss loss = AlsLoss::ials;
  AlsSolver solver = AlsSolver::automatic;
  int cg_steps = 3;               ///< implicit's default; more steps come closer to the exact solution
  int block_size = 64;            ///< iALS++ reports its best times with blocks of 64 to 128
  float negative_preference = 0;  ///< p of a dislike, -1 to 0
};

/// What a half-epoch did: how many rows each way, and the floating-point operations that its systems took.
struct AlsReport {
  std::int64_t empty = 0;   ///< rows without entries, set to zero
  std::int64_t primal = 0;  ///< exact, f x f
  std::int64_t dual = 0;    ///< exact, one unknown for each entry
  std::int64_t cg = 0;
  std::int64_t subspace = 0;
  double flops = 0;
};

/// Interactions that were checked once, so that a half-epoch need not: they fit together, and every value is finite.
class AlsInteractions {
 public:
  /// `weights` `[nnz]`, finite and not negative, are the entries' own; ones where empty. Throws
  /// Error{invalid_argument} naming the first bad row or weight. The arrays must outlive this and not change. Of the
  /// execution only the monitor counts. O(nnz).
  explicit AlsInteractions(const CsrView& interactions, std::span<const float> weights = {},
                           const Execution& execution = {});

  [[nodiscard]] const CsrView& view() const noexcept { return view_; }
  [[nodiscard]] std::span<const float> weights() const noexcept { return weights_; }

 private:
  CsrView view_;
  std::span<const float> weights_;
};

/// Where the regularisation draws the solved rows to, in place of zero: row r to the sum over its features k of
/// features(r, k) * weights[k]. The objective then has lambda_row |x_row - prior_row|^2.
struct AlsPrior {
  CsrView features;                 ///< `[rows, p]`
  MatrixView<const float> weights;  ///< `[p, f]`
};

/// What a half-epoch may be given besides; what is empty is not there.
struct AlsGiven {
  std::span<const float> offsets;         ///< `[cols]`, for ratings: what is taken from the values of each column
  std::span<const std::int32_t> counted;  ///< the rows of `fixed` that alpha0's sum over all runs over; empty for all
  const AlsPrior* prior = nullptr;
  /// `fixed` itself, where its rows may be turned into another basis in their place; empty where they are to be kept.
  /// They are then turned back, which changes them by rounding, or where they are spent are void. A copy is taken all
  /// the same unless f is a multiple of 16, the rows have no gaps and the first starts at a multiple of 64 bytes.
  MatrixView<float> turned;
  bool is_spent = false;
};

/// The Gram matrix factors^T * factors, `[f, f]`, both triangles. O(rows * f^2). The same bytes at every thread count.
void gram(MatrixView<const float> factors, MatrixView<float> out, const Execution& execution);

/// One half of an epoch: sets each row of `solved` `[rows, f]` to the minimiser (exact solvers) or a better point (the
/// others) of the objective, with `fixed` `[cols, f]` held. Row r has the entries of row r of `interactions`; a row
/// without entries becomes zero, even where it has a prior: what it is worth then is the caller's to say. The same
/// bytes at every thread count. O(nnz * f^2 + rows * f^3) for cholesky, of which rows with n << f entries take n^2 f
/// only.
///
/// Throws Error{invalid_argument} for shapes that do not fit, parameters out of range, and where a row's system is
/// singular (regularization 0 and too little data), saying what to change; `solved` is then in an unspecified state.
/// Throws Error{out_of_memory} before it would allocate too much.
AlsReport als_half_epoch(const AlsInteractions& interactions, MatrixView<const float> fixed, MatrixView<float> solved,
                         const AlsParams& params, const Execution& execution, const AlsGiven& given = {});

/// The bytes that a half-epoch takes at most beside its arguments, save for what rows with more entries than some
/// thousand take. 0 threads means one for each core; `in_place` that `fixed` is not kept, and aligned.
[[nodiscard]] std::int64_t als_half_epoch_bytes(std::int64_t rows, std::int64_t cols, std::int64_t factors,
                                                int num_threads, bool in_place);

/// The value of the objective: predictions in float32, summed in float64. `offsets` as AlsGiven has them. O(nnz * f +
/// (rows + cols) * f^2).
[[nodiscard]] double als_objective(const AlsInteractions& interactions, MatrixView<const float> row_factors,
                                   MatrixView<const float> col_factors, const AlsParams& params,
                                   const Execution& execution, std::span<const float> offsets = {});

}  // namespace recocore
