// Compiled with -mavx512f/bw/dq/vl. Includes only intrinsics, so that no inline function compiled here can be linked
// elsewhere.
#include <immintrin.h>

#include "kernels/float64/kernel.hpp"

namespace recocore::kernels {
namespace avx512 {
namespace {

constexpr std::int64_t kWidth = 8;

double dot(const double* x, const double* y, std::int64_t n) noexcept {
  __m512d sums[4] = {_mm512_setzero_pd(), _mm512_setzero_pd(), _mm512_setzero_pd(), _mm512_setzero_pd()};
  std::int64_t i = 0;
  for (; i + 4 * kWidth <= n; i += 4 * kWidth) {
#pragma GCC unroll 4
    for (int part = 0; part < 4; ++part)
      sums[part] =
          _mm512_fmadd_pd(_mm512_loadu_pd(x + i + part * kWidth), _mm512_loadu_pd(y + i + part * kWidth), sums[part]);
  }
  for (; i + kWidth <= n; i += kWidth)
    sums[0] = _mm512_fmadd_pd(_mm512_loadu_pd(x + i), _mm512_loadu_pd(y + i), sums[0]);
  double lanes[kWidth];
  _mm512_storeu_pd(lanes, _mm512_add_pd(_mm512_add_pd(sums[0], sums[1]), _mm512_add_pd(sums[2], sums[3])));
  double sum = 0;
  for (const double lane : lanes) sum += lane;
  for (; i < n; ++i) sum += x[i] * y[i];
  return sum;
}

void add_two(double a, const double* x, double b, const double* y, double* z, std::int64_t n) noexcept {
  const __m512d left = _mm512_set1_pd(a);
  const __m512d right = _mm512_set1_pd(b);
  std::int64_t i = 0;
  for (; i + kWidth <= n; i += kWidth) {
    const __m512d sum = _mm512_fmadd_pd(right, _mm512_loadu_pd(y + i), _mm512_loadu_pd(z + i));
    _mm512_storeu_pd(z + i, _mm512_fmadd_pd(left, _mm512_loadu_pd(x + i), sum));
  }
  for (; i < n; ++i) z[i] += a * x[i] + b * y[i];
}

void rotate_rows(double* z, std::int64_t ldz, std::int64_t high, const Rotation* rotations,
                 std::int64_t count) noexcept {
  constexpr int kParts = kRotated / kWidth;
  double* row = z + high * ldz;
  __m512d upper[kParts];
#pragma GCC unroll 8
  for (int p = 0; p < kParts; ++p) upper[p] = _mm512_loadu_pd(row + p * kWidth);
  for (std::int64_t r = 0; r < count; ++r) {
    const __m512d c = _mm512_set1_pd(rotations[r].c);
    const __m512d s = _mm512_set1_pd(rotations[r].s);
    // The lower row is the upper one of the next rotation: it stays in registers.
#pragma GCC unroll 8
    for (int p = 0; p < kParts; ++p) {
      const __m512d lower = _mm512_loadu_pd(row - ldz + p * kWidth);
      _mm512_storeu_pd(row + p * kWidth, _mm512_fmadd_pd(s, lower, _mm512_mul_pd(c, upper[p])));
      upper[p] = _mm512_fmsub_pd(c, lower, _mm512_mul_pd(s, upper[p]));
    }
    row -= ldz;
  }
#pragma GCC unroll 8
  for (int p = 0; p < kParts; ++p) _mm512_storeu_pd(row + p * kWidth, upper[p]);
}

}  // namespace
}  // namespace avx512

const Float64Kernels float64_avx512{"avx512", avx512::dot, avx512::add_two, avx512::rotate_rows};

}  // namespace recocore::kernels
