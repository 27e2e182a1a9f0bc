// Dense float64 kernels of the eigendecomposition: one function table for each instruction set, chosen once for the
// process. Every function trusts its arguments; sums are taken in a fixed order.
#pragma once

#include <cstdint>

namespace recocore::kernels {

/// A rotation of two neighbouring rows: (low, high) becomes (c low - s high, s low + c high).
struct Rotation {
  double c;
  double s;
};

struct Float64Kernels {
  /// The instruction set that the table's own file was compiled for.
  const char* isa;

  /// Sum of x[i] * y[i] over n elements.
  double (*dot)(const double* x, const double* y, std::int64_t n) noexcept;

  /// z[i] += a * x[i] + b * y[i] over n elements.
  void (*add_two)(double a, const double* x, double b, const double* y, double* z, std::int64_t n) noexcept;

  /// Rotates rows (high - 1, high), (high - 2, high - 1), ... of z, whose rows are ldz apart, `count` times; only
  /// the first kRotated elements of each row.
  void (*rotate_rows)(double* z, std::int64_t ldz, std::int64_t high, const Rotation* rotations,
                      std::int64_t count) noexcept;
};

/// Elements of a row that rotate_rows takes at a time.
constexpr std::int64_t kRotated = 32;

extern const Float64Kernels float64_scalar;
#if defined(__x86_64__)
extern const Float64Kernels float64_avx2;
extern const Float64Kernels float64_avx512;
#endif

/// The table of active_isa().
[[nodiscard]] const Float64Kernels& float64();

}  // namespace recocore::kernels
