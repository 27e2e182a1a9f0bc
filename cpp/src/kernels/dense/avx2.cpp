// Compiled with -mavx2 -mfma. Includes only intrinsics, so that no inline function compiled here can be linked
// elsewhere.
#include <immintrin.h>

#include "kernels/dense/kernel.hpp"

namespace recocore::kernels {
namespace avx2 {
namespace {

float sum_lanes(__m256 v) noexcept {
  __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  half = _mm_add_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}

float dot_f32(const float* x, const float* y, std::int64_t n) noexcept {
  __m256 sum0 = _mm256_setzero_ps();
  __m256 sum1 = _mm256_setzero_ps();
  std::int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    sum0 = _mm256_fmadd_ps(_mm256_loadu_ps(x + i), _mm256_loadu_ps(y + i), sum0);
    sum1 = _mm256_fmadd_ps(_mm256_loadu_ps(x + i + 8), _mm256_loadu_ps(y + i + 8), sum1);
  }
  float tail = 0;
  for (; i < n; ++i) tail += x[i] * y[i];
  return sum_lanes(_mm256_add_ps(sum0, sum1)) + tail;
}

void axpy_f32(float a, const float* x, float* y, std::int64_t n) noexcept {
  const __m256 factor = _mm256_set1_ps(a);
  std::int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    _mm256_storeu_ps(y + i, _mm256_fmadd_ps(factor, _mm256_loadu_ps(x + i), _mm256_loadu_ps(y + i)));
  for (; i < n; ++i) y[i] += a * x[i];
}

void syrk_lower_f32(const float* x, std::int64_t ldx, const float* weights, std::int64_t count, std::int64_t n,
                    float* a, std::int64_t lda) noexcept {
  std::int64_t r = 0;
  // Four rank-one updates at a time: each element of `a` is read and written a quarter as often.
  for (; r + 4 <= count; r += 4) {
    const float* x0 = x + r * ldx;
    const float* x1 = x0 + ldx;
    const float* x2 = x1 + ldx;
    const float* x3 = x2 + ldx;
    for (std::int64_t i = 0; i < n; ++i) {
      const float c0 = weights[r] * x0[i];
      const float c1 = weights[r + 1] * x1[i];
      const float c2 = weights[r + 2] * x2[i];
      const float c3 = weights[r + 3] * x3[i];
      const __m256 f0 = _mm256_set1_ps(c0);
      const __m256 f1 = _mm256_set1_ps(c1);
      const __m256 f2 = _mm256_set1_ps(c2);
      const __m256 f3 = _mm256_set1_ps(c3);
      float* row = a + i * lda;
      std::int64_t j = 0;
      for (; j + 8 <= i + 1; j += 8) {
        __m256 sum = _mm256_loadu_ps(row + j);
        sum = _mm256_fmadd_ps(f0, _mm256_loadu_ps(x0 + j), sum);
        sum = _mm256_fmadd_ps(f1, _mm256_loadu_ps(x1 + j), sum);
        sum = _mm256_fmadd_ps(f2, _mm256_loadu_ps(x2 + j), sum);
        sum = _mm256_fmadd_ps(f3, _mm256_loadu_ps(x3 + j), sum);
        _mm256_storeu_ps(row + j, sum);
      }
      for (; j <= i; ++j) row[j] += c0 * x0[j] + c1 * x1[j] + c2 * x2[j] + c3 * x3[j];
    }
  }
  for (; r < count; ++r) {
    const float* row = x + r * ldx;
    for (std::int64_t i = 0; i < n; ++i) axpy_f32(weights[r] * row[i], row, a + i * lda, i + 1);
  }
}

}  // namespace
}  // namespace avx2

const DenseKernels dense_avx2{"avx2", avx2::dot_f32, avx2::axpy_f32, avx2::syrk_lower_f32};

}  // namespace recocore::kernels
