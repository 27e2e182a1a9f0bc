// Kernels of the normal equations of least squares: one function table for each instruction set, chosen once for the
// process.
//
// Matrices are row-major, and every width, height and distance between rows is a multiple of kLane floats; memory is
// aligned to 64 bytes. Callers pad with zeros. Every function trusts its arguments, allocates nothing and starts no
// thread. Sums are taken in a fixed order, so a table gives the same bytes for the same input; two tables may differ by
// rounding.
#pragma once

#include <cstdint>

namespace recocore::kernels {

/// Matrices come in multiples of this many floats: one register of the widest instruction set.
constexpr std::int64_t kLane = 16;

/// What factor_rows found on the diagonal.
enum class Pivots : std::uint8_t { good, too_small, not_finite };

struct LeastSquaresKernels {
  /// The instruction set that the table's own file was compiled for.
  const char* isa;

  /// c += a^T b, with a `[k, m]`, b `[k, n]` and c `[m, n]`. k is any number.
  void (*add_product)(const float* a, std::int64_t lda, const float* b, std::int64_t ldb, std::int64_t k,
                      std::int64_t m, std::int64_t n, float* c, std::int64_t ldc) noexcept;

  /// c -= a^T b.
  void (*subtract_product)(const float* a, std::int64_t lda, const float* b, std::int64_t ldb, std::int64_t k,
                           std::int64_t m, std::int64_t n, float* c, std::int64_t ldc) noexcept;

  /// The upper triangle of c `[n, n]` += x^T x, with x `[k, n]`. What is below the diagonal within the kLane x kLane
  /// blocks on it changes too.
  void (*add_gram)(const float* x, std::int64_t ldx, std::int64_t k, std::int64_t n, float* c,
                   std::int64_t ldc) noexcept;

  /// Turns the first kLane rows of the upper triangle of a symmetric matrix, `width` wide from the diagonal on, into
  /// those of its Cholesky factor U, where a = U^T U. A pivot that is not greater than `smallest` is too small.
  Pivots (*factor_rows)(float* a, std::int64_t lda, std::int64_t width, float smallest) noexcept;

  /// Solves U^T U x = b in place; U is the upper triangle of u `[n, n]`.
  void (*solve_upper)(const float* u, std::int64_t ldu, std::int64_t n, float* b) noexcept;

  /// Row e of out `[count, n]` = scales[e] * row columns[e] of source. Null columns are first, first + 1, ...; null
  /// scales are ones.
  void (*gather_rows)(const float* source, std::int64_t stride, const std::int32_t* columns, std::int64_t first,
                      const float* scales, std::int64_t count, std::int64_t n, float* out, std::int64_t ldo) noexcept;

  /// The transpose, each of whose rows may be scaled: out `[n, count rounded up to kLane]`, element (i, e) =
  /// row_scales[i] * scales[e] * source[columns[e]][i], zero for e >= count. Null means as above.
  void (*gather_columns)(const float* source, std::int64_t stride, const std::int32_t* columns, std::int64_t first,
                         const float* scales, const float* row_scales, std::int64_t count, std::int64_t n, float* out,
                         std::int64_t ldo) noexcept;

  /// sum `[n]` += sum over e of coefficients[e] * row columns[e] of source; null columns are 0, 1, ...
  void (*add_rows)(const float* source, std::int64_t stride, const std::int32_t* columns, const float* coefficients,
                   std::int64_t count, std::int64_t n, float* sum) noexcept;

  /// products[e] = row columns[e] of source . x, over n elements; null columns are 0, 1, ...
  void (*dot_rows)(const float* source, std::int64_t stride, const std::int32_t* columns, std::int64_t count,
                   const float* x, std::int64_t n, float* products) noexcept;

  // The vector steps of conjugate gradient, preconditioned by a diagonal matrix.

  /// out = d * x, element by element over n; returns the sum of d * x^2.
  float (*multiply)(const float* d, const float* x, std::int64_t n, float* out) noexcept;

  /// x += length * direction and residual -= length * product; returns the sum of inverse * residual^2.
  float (*advance)(float length, const float* direction, const float* product, const float* inverse, std::int64_t n,
                   float* x, float* residual) noexcept;

  /// direction = inverse * residual + keep * direction.
  void (*turn)(float keep, const float* residual, const float* inverse, std::int64_t n, float* direction) noexcept;
};

extern const LeastSquaresKernels least_squares_scalar;
#if defined(__x86_64__)
extern const LeastSquaresKernels least_squares_avx2;
extern const LeastSquaresKernels least_squares_avx512;
#endif

/// The table of active_isa().
[[nodiscard]] const LeastSquaresKernels& least_squares();

}  // namespace recocore::kernels
