// Compiled with -mavx512f/bw/dq/vl. Includes only intrinsics, so that no inline function compiled here can be linked
// elsewhere.
#include <immintrin.h>

#include "kernels/dense/kernel.hpp"

namespace recocore::kernels {
namespace avx512 {
namespace {

__mmask16 first(std::int64_t count) noexcept {
  return static_cast<__mmask16>((1U << count) - 1U);
}

float sum_lanes(__m512 v) noexcept {
  // The zero-masking extract: GCC 12 warns of an uninitialised value inside the plain one.
  const __m256 eight =
      _mm256_add_ps(_mm512_maskz_extractf32x8_ps(0xFF, v, 0), _mm512_maskz_extractf32x8_ps(0xFF, v, 1));
  __m128 half = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  half = _mm_add_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}

float dot_f32(const float* x, const float* y, std::int64_t n) noexcept {
  __m512 sum0 = _mm512_setzero_ps();
  __m512 sum1 = _mm512_setzero_ps();
  std::int64_t i = 0;
  for (; i + 32 <= n; i += 32) {
    sum0 = _mm512_fmadd_ps(_mm512_loadu_ps(x + i), _mm512_loadu_ps(y + i), sum0);
    sum1 = _mm512_fmadd_ps(_mm512_loadu_ps(x + i + 16), _mm512_loadu_ps(y + i + 16), sum1);
  }
  for (; i < n; i += 16) {
    const __mmask16 lanes = n - i >= 16 ? static_cast<__mmask16>(0xFFFF) : first(n - i);
    sum0 = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(lanes, x + i), _mm512_maskz_loadu_ps(lanes, y + i), sum0);
  }
  return sum_lanes(_mm512_add_ps(sum0, sum1));
}

float squared_distance_f32(const float* x, const float* y, std::int64_t n) noexcept {
  __m512 sum0 = _mm512_setzero_ps();
  __m512 sum1 = _mm512_setzero_ps();
  std::int64_t i = 0;
  for (; i + 32 <= n; i += 32) {
    const __m512 low = _mm512_sub_ps(_mm512_loadu_ps(x + i), _mm512_loadu_ps(y + i));
    const __m512 high = _mm512_sub_ps(_mm512_loadu_ps(x + i + 16), _mm512_loadu_ps(y + i + 16));
    sum0 = _mm512_fmadd_ps(low, low, sum0);
    sum1 = _mm512_fmadd_ps(high, high, sum1);
  }
  for (; i < n; i += 16) {
    const __mmask16 lanes = n - i >= 16 ? static_cast<__mmask16>(0xFFFF) : first(n - i);
    const __m512 apart = _mm512_sub_ps(_mm512_maskz_loadu_ps(lanes, x + i), _mm512_maskz_loadu_ps(lanes, y + i));
    sum0 = _mm512_fmadd_ps(apart, apart, sum0);
  }
  return sum_lanes(_mm512_add_ps(sum0, sum1));
}

void axpy_f32(float a, const float* x, float* y, std::int64_t n) noexcept {
  const __m512 factor = _mm512_set1_ps(a);
  for (std::int64_t i = 0; i < n; i += 16) {
    const __mmask16 lanes = n - i >= 16 ? static_cast<__mmask16>(0xFFFF) : first(n - i);
    const __m512 sum =
        _mm512_fmadd_ps(factor, _mm512_maskz_loadu_ps(lanes, x + i), _mm512_maskz_loadu_ps(lanes, y + i));
    _mm512_mask_storeu_ps(y + i, lanes, sum);
  }
}

}  // namespace
}  // namespace avx512

const DenseKernels dense_avx512{"avx512", avx512::dot_f32, avx512::squared_distance_f32, avx512::axpy_f32};

}  // namespace recocore::kernels
