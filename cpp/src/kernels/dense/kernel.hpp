// Dense float32 kernels: one function table for each instruction set, chosen once for the process.
//
// Every function trusts its arguments, allocates nothing and starts no thread. Sums are taken in a fixed order, so a
// table gives the same bytes for the same input; two tables may differ by rounding.
#pragma once

#include <cstdint>

namespace recocore::kernels {

struct DenseKernels {
  /// The instruction set that the table's own file was compiled for.
  const char* isa;

  /// Sum of x[i] * y[i] over n elements.
  float (*dot_f32)(const float* x, const float* y, std::int64_t n) noexcept;

  /// Sum of (x[i] - y[i])^2 over n elements.
  float (*squared_distance_f32)(const float* x, const float* y, std::int64_t n) noexcept;

  /// y[i] += a * x[i] over n elements.
  void (*axpy_f32)(float a, const float* x, float* y, std::int64_t n) noexcept;
};

extern const DenseKernels dense_scalar;
#if defined(__x86_64__)
extern const DenseKernels dense_avx2;
extern const DenseKernels dense_avx512;
#endif

/// The table of active_isa().
[[nodiscard]] const DenseKernels& dense();

}  // namespace recocore::kernels
