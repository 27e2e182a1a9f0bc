// Compiled with -mavx512f/bw/dq/vl. Includes only intrinsics, so that no inline function compiled here can be linked
// elsewhere.
#ifdef __GNUC__
#pragma GCC diagnostic ignored "-Wuninitialized"  // GCC 12 warns of its own intrinsics (bug 105593)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

#include "kernels/least_squares/kernel.hpp"

namespace recocore::kernels {
namespace avx512 {
namespace {

// A tile of kTileRows x (W * kLane) sums stays in registers: 8 x 48 leaves eight of 32 registers for the factors, and
// needs 11 loads for 24 multiplications.
constexpr int kTileRows = 8;

template <int W, bool kSubtract>
void tile(const float* a, std::int64_t lda, const float* b, std::int64_t ldb, std::int64_t k, float* c,
          std::int64_t ldc) noexcept {
  __m512 sums[kTileRows][W];
#pragma GCC unroll 8
  for (int r = 0; r < kTileRows; ++r) {
#pragma GCC unroll 3
    for (int w = 0; w < W; ++w) sums[r][w] = _mm512_load_ps(c + r * ldc + w * kLane);
  }
  for (std::int64_t p = 0; p < k; ++p) {
    __m512 right[W];
#pragma GCC unroll 3
    for (int w = 0; w < W; ++w) right[w] = _mm512_load_ps(b + w * kLane);
#pragma GCC unroll 8
    for (int r = 0; r < kTileRows; ++r) {
      const __m512 left = _mm512_set1_ps(a[r]);
#pragma GCC unroll 3
      for (int w = 0; w < W; ++w)
        sums[r][w] =
            kSubtract ? _mm512_fnmadd_ps(left, right[w], sums[r][w]) : _mm512_fmadd_ps(left, right[w], sums[r][w]);
    }
    a += lda;
    b += ldb;
  }
#pragma GCC unroll 8
  for (int r = 0; r < kTileRows; ++r) {
#pragma GCC unroll 3
    for (int w = 0; w < W; ++w) _mm512_store_ps(c + r * ldc + w * kLane, sums[r][w]);
  }
}

/// One tile of `lanes` (1 to 3) registers in width.
template <bool kSubtract>
void any_tile(std::int64_t lanes, const float* a, std::int64_t lda, const float* b, std::int64_t ldb, std::int64_t k,
              float* c, std::int64_t ldc) noexcept {
  if (lanes == 3) return tile<3, kSubtract>(a, lda, b, ldb, k, c, ldc);
  if (lanes == 2) return tile<2, kSubtract>(a, lda, b, ldb, k, c, ldc);
  return tile<1, kSubtract>(a, lda, b, ldb, k, c, ldc);
}

/// How many registers wide the next tile is where `left` floats remain: three, but two and two for four.
std::int64_t next_lanes(std::int64_t left) noexcept {
  const std::int64_t lanes = left / kLane;
  return lanes == 4 ? 2 : lanes < 3 ? lanes : 3;
}

template <bool kSubtract>
void product(const float* a, std::int64_t lda, const float* b, std::int64_t ldb, std::int64_t k, std::int64_t m,
             std::int64_t n, float* c, std::int64_t ldc) noexcept {
  for (std::int64_t j = 0; j < n;) {
    const std::int64_t lanes = next_lanes(n - j);
    for (std::int64_t i = 0; i < m; i += kTileRows)
      any_tile<kSubtract>(lanes, a + i, lda, b + j, ldb, k, c + i * ldc + j, ldc);
    j += lanes * kLane;
  }
}

void add_gram(const float* x, std::int64_t ldx, std::int64_t k, std::int64_t n, float* c, std::int64_t ldc) noexcept {
  for (std::int64_t j = 0; j < n;) {
    const std::int64_t lanes = next_lanes(n - j);
    const std::int64_t end = j + lanes * kLane;
    for (std::int64_t i = 0; i < end; i += kTileRows) {
      const std::int64_t from = i < j ? j : i / kLane * kLane;  // tiles on the diagonal start there
      any_tile<false>((end - from) / kLane, x + i, ldx, x + from, ldx, k, c + i * ldc + from, ldc);
    }
    j = end;
  }
}

__m512 lane(__m512 v, int index) noexcept {
  return _mm512_permutexvar_ps(_mm512_set1_epi32(index), v);
}

/// 1 / sqrt of each lane: an estimate of 14 bits and one Newton step.
__m512 inverse_root(__m512 v) noexcept {
  const __m512 estimate = _mm512_maskz_rsqrt14_ps(0xFFFF, v);
  const __m512 half = _mm512_mul_ps(_mm512_mul_ps(_mm512_set1_ps(0.5F), v), estimate);
  return _mm512_mul_ps(estimate, _mm512_fnmadd_ps(half, estimate, _mm512_set1_ps(1.5F)));
}

Pivots factor_rows(float* a, std::int64_t lda, std::int64_t width, float smallest) noexcept {
  __m512 rows[kLane];
  __m512 scales[kLane];
  unsigned small = 0;
  unsigned infinite = 0;
#pragma GCC unroll 16
  for (int r = 0; r < kLane; ++r) rows[r] = _mm512_load_ps(a + r * lda);
#pragma GCC unroll 16
  for (int k = 0; k < kLane; ++k) {
    const __m512 pivot = lane(rows[k], k);
    small |= (~unsigned{_mm512_cmp_ps_mask(pivot, _mm512_set1_ps(smallest), _CMP_GT_OQ)} & 1U) << k;
    infinite |= (~unsigned{_mm512_cmp_ps_mask(pivot, _mm512_set1_ps(__FLT_MAX__), _CMP_LE_OQ)} & 1U) << k;
    const __m512 scale = inverse_root(pivot);
    scales[k] = scale;
    rows[k] = _mm512_mul_ps(rows[k], scale);
    _mm512_store_ps(a + k * lda, rows[k]);
#pragma GCC unroll 16
    for (int i = k + 1; i < kLane; ++i) rows[i] = _mm512_fnmadd_ps(lane(rows[k], i), rows[k], rows[i]);
  }
  if ((small | infinite) != 0) {  // the first bad pivot is the cause, what follows it is not
    const unsigned first = (small | infinite) & (~(small | infinite) + 1U);
    return (infinite & first) != 0 ? Pivots::not_finite : Pivots::too_small;
  }
  for (std::int64_t j = kLane; j < width; j += kLane) {
#pragma GCC unroll 16
    for (int r = 0; r < kLane; ++r) rows[r] = _mm512_load_ps(a + r * lda + j);
#pragma GCC unroll 16
    for (int k = 0; k < kLane; ++k) {
      rows[k] = _mm512_mul_ps(rows[k], _mm512_set1_ps(_mm512_cvtss_f32(scales[k])));
      _mm512_store_ps(a + k * lda + j, rows[k]);
#pragma GCC unroll 16
      for (int i = k + 1; i < kLane; ++i) rows[i] = _mm512_fnmadd_ps(_mm512_set1_ps(a[k * lda + i]), rows[k], rows[i]);
    }
  }
  return Pivots::good;
}

/// Transposes a 16 x 16 block in registers.
void transpose(__m512 (&r)[kLane]) noexcept {
  __m512 t[kLane];
#pragma GCC unroll 4
  for (int i = 0; i < kLane; i += 4) {
    const __m512 ab = _mm512_unpacklo_ps(r[i], r[i + 1]);
    const __m512 AB = _mm512_unpackhi_ps(r[i], r[i + 1]);
    const __m512 cd = _mm512_unpacklo_ps(r[i + 2], r[i + 3]);
    const __m512 CD = _mm512_unpackhi_ps(r[i + 2], r[i + 3]);
    t[i] = _mm512_shuffle_ps(ab, cd, 0x44);
    t[i + 1] = _mm512_shuffle_ps(ab, cd, 0xEE);
    t[i + 2] = _mm512_shuffle_ps(AB, CD, 0x44);
    t[i + 3] = _mm512_shuffle_ps(AB, CD, 0xEE);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const __m512 x = _mm512_shuffle_f32x4(t[i], t[i + 4], 0x88);
    const __m512 y = _mm512_shuffle_f32x4(t[i], t[i + 4], 0xDD);
    const __m512 z = _mm512_shuffle_f32x4(t[i + 8], t[i + 12], 0x88);
    const __m512 w = _mm512_shuffle_f32x4(t[i + 8], t[i + 12], 0xDD);
    r[i] = _mm512_shuffle_f32x4(x, z, 0x88);
    r[i + 4] = _mm512_shuffle_f32x4(y, w, 0x88);
    r[i + 8] = _mm512_shuffle_f32x4(x, z, 0xDD);
    r[i + 12] = _mm512_shuffle_f32x4(y, w, 0xDD);
  }
}

void solve_upper(const float* u, std::int64_t ldu, std::int64_t n, float* b) noexcept {
  for (std::int64_t i = 0; i < n; i += kLane) {
    const float* column = u + i;
    __m512 even = _mm512_load_ps(b + i);
    __m512 odd = _mm512_setzero_ps();
    for (std::int64_t k = 0; k < i; k += 2, column += 2 * ldu) {
      even = _mm512_fnmadd_ps(_mm512_set1_ps(b[k]), _mm512_load_ps(column), even);
      odd = _mm512_fnmadd_ps(_mm512_set1_ps(b[k + 1]), _mm512_load_ps(column + ldu), odd);
    }
    __m512 v = _mm512_add_ps(even, odd);
    __m512 diagonal = _mm512_setzero_ps();
#pragma GCC unroll 16
    for (int k = 0; k < kLane; ++k) {
      const __m512 row = _mm512_load_ps(column + k * ldu);
      diagonal = _mm512_mask_mov_ps(diagonal, static_cast<__mmask16>(1U << k), row);
      const __m512 scaled = _mm512_div_ps(row, lane(row, k));  // off the chain through v
      v = _mm512_mask3_fnmadd_ps(lane(v, k), scaled, v, static_cast<__mmask16>(0xFFFEU << k));
    }
    _mm512_store_ps(b + i, _mm512_div_ps(v, diagonal));
  }
  for (std::int64_t i = n - kLane; i >= 0; i -= kLane) {
    const float* row = u + i * ldu;
    __m512 block[kLane];
#pragma GCC unroll 16
    for (int r = 0; r < kLane; ++r) block[r] = _mm512_setzero_ps();
    for (std::int64_t j = i + kLane; j < n; j += kLane) {
      const __m512 x = _mm512_load_ps(b + j);
#pragma GCC unroll 16
      for (int r = 0; r < kLane; ++r) block[r] = _mm512_fmadd_ps(_mm512_load_ps(row + r * ldu + j), x, block[r]);
    }
    __m512 v = _mm512_load_ps(b + i);
    if (i + kLane < n) {
      transpose(block);
#pragma GCC unroll 16
      for (int r = 0; r < kLane; ++r) v = _mm512_sub_ps(v, block[r]);
    }
#pragma GCC unroll 16
    for (int r = 0; r < kLane; ++r) block[r] = _mm512_load_ps(row + r * ldu + i);
    transpose(block);  // columns of the triangle
    __m512 diagonal = _mm512_setzero_ps();
#pragma GCC unroll 16
    for (int k = kLane - 1; k >= 0; --k) {
      diagonal = _mm512_mask_mov_ps(diagonal, static_cast<__mmask16>(1U << k), block[k]);
      const __m512 scaled = _mm512_div_ps(block[k], lane(block[k], k));
      v = _mm512_mask3_fnmadd_ps(lane(v, k), scaled, v, static_cast<__mmask16>((1U << k) - 1U));
    }
    _mm512_store_ps(b + i, _mm512_div_ps(v, diagonal));
  }
}

const float* row_of(const float* source, std::int64_t stride, const std::int32_t* columns, std::int64_t first,
                    std::int64_t e) noexcept {
  return source + (columns != nullptr ? columns[e] : first + e) * stride;
}

void gather_rows(const float* source, std::int64_t stride, const std::int32_t* columns, std::int64_t first,
                 const float* scales, std::int64_t count, std::int64_t n, float* out, std::int64_t ldo) noexcept {
  constexpr std::int64_t kAhead = 8;
  for (std::int64_t e = 0; e < count; ++e) {
    if (e + kAhead < count) {
      const float* next = row_of(source, stride, columns, first, e + kAhead);
      for (std::int64_t i = 0; i < n; i += kLane) _mm_prefetch(next + i, _MM_HINT_T0);
    }
    const float* row = row_of(source, stride, columns, first, e);
    const __m512 scale = _mm512_set1_ps(scales != nullptr ? scales[e] : 1.0F);
    for (std::int64_t i = 0; i < n; i += kLane)
      _mm512_store_ps(out + e * ldo + i, _mm512_mul_ps(scale, _mm512_load_ps(row + i)));
  }
}

void gather_columns(const float* source, std::int64_t stride, const std::int32_t* columns, std::int64_t first,
                    const float* scales, const float* row_scales, std::int64_t count, std::int64_t n, float* out,
                    std::int64_t ldo) noexcept {
  for (std::int64_t e = 0; e < count; e += kLane) {
    const std::int64_t height = count - e < kLane ? count - e : kLane;
    const float* rows[kLane];
    for (std::int64_t r = 0; r < kLane; ++r) {
      rows[r] = row_of(source, stride, columns, first, r < height ? e + r : e);
      for (std::int64_t i = 0; i < n; i += kLane) _mm_prefetch(rows[r] + i, _MM_HINT_T0);
    }
    const auto present = static_cast<__mmask16>((1U << height) - 1U);
    const __m512 scale = scales != nullptr ? _mm512_maskz_loadu_ps(present, scales + e)
                                           : _mm512_maskz_mov_ps(present, _mm512_set1_ps(1));
    for (std::int64_t i = 0; i < n; i += kLane) {
      __m512 block[kLane];
#pragma GCC unroll 16
      for (int r = 0; r < kLane; ++r) block[r] = _mm512_load_ps(rows[r] + i);
      transpose(block);
#pragma GCC unroll 16
      for (int r = 0; r < kLane; ++r) {
        const __m512 both = row_scales != nullptr ? _mm512_mul_ps(scale, _mm512_set1_ps(row_scales[i + r])) : scale;
        _mm512_store_ps(out + (i + r) * ldo + e, _mm512_mul_ps(block[r], both));
      }
    }
  }
}

template <int W>
void add_rows_part(const float* source, std::int64_t stride, const std::int32_t* columns, const float* coefficients,
                   std::int64_t count, float* sum) noexcept {
  __m512 sums[W];
#pragma GCC unroll 8
  for (int w = 0; w < W; ++w) sums[w] = _mm512_load_ps(sum + w * kLane);
  for (std::int64_t e = 0; e < count; ++e) {
    const float* row = row_of(source, stride, columns, 0, e);
    const __m512 coefficient = _mm512_set1_ps(coefficients[e]);
#pragma GCC unroll 8
    for (int w = 0; w < W; ++w) sums[w] = _mm512_fmadd_ps(coefficient, _mm512_load_ps(row + w * kLane), sums[w]);
  }
#pragma GCC unroll 8
  for (int w = 0; w < W; ++w) _mm512_store_ps(sum + w * kLane, sums[w]);
}

void add_rows(const float* source, std::int64_t stride, const std::int32_t* columns, const float* coefficients,
              std::int64_t count, std::int64_t n, float* sum) noexcept {
  std::int64_t i = 0;
  for (; i + 8 * kLane <= n; i += 8 * kLane)
    add_rows_part<8>(source + i, stride, columns, coefficients, count, sum + i);
  for (; i + 4 * kLane <= n; i += 4 * kLane)
    add_rows_part<4>(source + i, stride, columns, coefficients, count, sum + i);
  for (; i < n; i += kLane) add_rows_part<1>(source + i, stride, columns, coefficients, count, sum + i);
}

float sum_lanes(__m512 v) noexcept {
  const __m256 eight = _mm256_add_ps(_mm512_extractf32x8_ps(v, 0), _mm512_extractf32x8_ps(v, 1));
  __m128 half = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  half = _mm_add_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}

void dot_rows(const float* source, std::int64_t stride, const std::int32_t* columns, std::int64_t count, const float* x,
              std::int64_t n, float* products) noexcept {
  std::int64_t e = 0;
  for (; e + 4 <= count; e += 4) {
    const float* rows[4];
    __m512 sums[4];
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) {
      rows[r] = row_of(source, stride, columns, 0, e + r);
      sums[r] = _mm512_setzero_ps();
    }
    for (std::int64_t i = 0; i < n; i += kLane) {
      const __m512 right = _mm512_load_ps(x + i);
#pragma GCC unroll 4
      for (int r = 0; r < 4; ++r) sums[r] = _mm512_fmadd_ps(_mm512_load_ps(rows[r] + i), right, sums[r]);
    }
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) products[e + r] = sum_lanes(sums[r]);
  }
  for (; e < count; ++e) {
    const float* row = row_of(source, stride, columns, 0, e);
    __m512 sum = _mm512_setzero_ps();
    for (std::int64_t i = 0; i < n; i += kLane)
      sum = _mm512_fmadd_ps(_mm512_load_ps(row + i), _mm512_load_ps(x + i), sum);
    products[e] = sum_lanes(sum);
  }
}

float multiply(const float* d, const float* x, std::int64_t n, float* out) noexcept {
  __m512 sum = _mm512_setzero_ps();
  for (std::int64_t i = 0; i < n; i += kLane) {
    const __m512 right = _mm512_load_ps(x + i);
    const __m512 both = _mm512_mul_ps(_mm512_load_ps(d + i), right);
    _mm512_store_ps(out + i, both);
    sum = _mm512_fmadd_ps(both, right, sum);
  }
  return sum_lanes(sum);
}

float advance(float length, const float* direction, const float* product, const float* inverse, std::int64_t n,
              float* x, float* residual) noexcept {
  const __m512 factor = _mm512_set1_ps(length);
  __m512 sum = _mm512_setzero_ps();
  for (std::int64_t i = 0; i < n; i += kLane) {
    _mm512_store_ps(x + i, _mm512_fmadd_ps(factor, _mm512_load_ps(direction + i), _mm512_load_ps(x + i)));
    const __m512 left = _mm512_fnmadd_ps(factor, _mm512_load_ps(product + i), _mm512_load_ps(residual + i));
    _mm512_store_ps(residual + i, left);
    sum = _mm512_fmadd_ps(_mm512_mul_ps(left, _mm512_load_ps(inverse + i)), left, sum);
  }
  return sum_lanes(sum);
}

void turn(float keep, const float* residual, const float* inverse, std::int64_t n, float* direction) noexcept {
  const __m512 factor = _mm512_set1_ps(keep);
  for (std::int64_t i = 0; i < n; i += kLane) {
    const __m512 steepest = _mm512_mul_ps(_mm512_load_ps(inverse + i), _mm512_load_ps(residual + i));
    _mm512_store_ps(direction + i, _mm512_fmadd_ps(factor, _mm512_load_ps(direction + i), steepest));
  }
}

}  // namespace
}  // namespace avx512

const LeastSquaresKernels least_squares_avx512{"avx512",
                                               avx512::product<false>,
                                               avx512::product<true>,
                                               avx512::add_gram,
                                               avx512::factor_rows,
                                               avx512::solve_upper,
                                               avx512::gather_rows,
                                               avx512::gather_columns,
                                               avx512::add_rows,
                                               avx512::dot_rows,
                                               avx512::multiply,
                                               avx512::advance,
                                               avx512::turn};

}  // namespace recocore::kernels
