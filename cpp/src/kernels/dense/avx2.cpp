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

float squared_distance_f32(const float* x, const float* y, std::int64_t n) noexcept {
  __m256 sum0 = _mm256_setzero_ps();
  __m256 sum1 = _mm256_setzero_ps();
  std::int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const __m256 low = _mm256_sub_ps(_mm256_loadu_ps(x + i), _mm256_loadu_ps(y + i));
    const __m256 high = _mm256_sub_ps(_mm256_loadu_ps(x + i + 8), _mm256_loadu_ps(y + i + 8));
    sum0 = _mm256_fmadd_ps(low, low, sum0);
    sum1 = _mm256_fmadd_ps(high, high, sum1);
  }
  float tail = 0;
  for (; i < n; ++i) tail += (x[i] - y[i]) * (x[i] - y[i]);
  return sum_lanes(_mm256_add_ps(sum0, sum1)) + tail;
}

void axpy_f32(float a, const float* x, float* y, std::int64_t n) noexcept {
  const __m256 factor = _mm256_set1_ps(a);
  std::int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    _mm256_storeu_ps(y + i, _mm256_fmadd_ps(factor, _mm256_loadu_ps(x + i), _mm256_loadu_ps(y + i)));
  for (; i < n; ++i) y[i] += a * x[i];
}

}  // namespace
}  // namespace avx2

const DenseKernels dense_avx2{"avx2", avx2::dot_f32, avx2::squared_distance_f32, avx2::axpy_f32};

}  // namespace recocore::kernels
