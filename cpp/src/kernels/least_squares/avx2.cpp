// Compiled with -mavx2 -mfma. Includes only intrinsics, so that no inline function compiled here can be linked
// elsewhere.
#include <immintrin.h>

#include "kernels/least_squares/kernel.hpp"

namespace recocore::kernels {
namespace avx2 {
namespace {

constexpr std::int64_t kWidth = 8;
// 6 x 16 sums take twelve of 16 registers and need 8 loads for 12 multiplications.
constexpr int kTileRows = 6;

template <int R, bool kSubtract>
void tile(const float* a, std::int64_t lda, const float* b, std::int64_t ldb, std::int64_t k, float* c,
          std::int64_t ldc) noexcept {
  __m256 sums[R][2];
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r) {
    sums[r][0] = _mm256_load_ps(c + r * ldc);
    sums[r][1] = _mm256_load_ps(c + r * ldc + kWidth);
  }
  for (std::int64_t p = 0; p < k; ++p) {
    const __m256 low = _mm256_load_ps(b);
    const __m256 high = _mm256_load_ps(b + kWidth);
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
      const __m256 left = _mm256_broadcast_ss(a + r);
      sums[r][0] = kSubtract ? _mm256_fnmadd_ps(left, low, sums[r][0]) : _mm256_fmadd_ps(left, low, sums[r][0]);
      sums[r][1] = kSubtract ? _mm256_fnmadd_ps(left, high, sums[r][1]) : _mm256_fmadd_ps(left, high, sums[r][1]);
    }
    a += lda;
    b += ldb;
  }
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r) {
    _mm256_store_ps(c + r * ldc, sums[r][0]);
    _mm256_store_ps(c + r * ldc + kWidth, sums[r][1]);
  }
}

/// Tiles of six rows one below the other, and of four where m is no multiple of six.
template <bool kSubtract>
void column_of_tiles(const float* a, std::int64_t lda, const float* b, std::int64_t ldb, std::int64_t k, std::int64_t m,
                     float* c, std::int64_t ldc) noexcept {
  std::int64_t i = 0;
  for (; m - i >= 12 || (m - i) % 4 != 0; i += kTileRows)
    tile<kTileRows, kSubtract>(a + i, lda, b, ldb, k, c + i * ldc, ldc);
  for (; i < m; i += 4) tile<4, kSubtract>(a + i, lda, b, ldb, k, c + i * ldc, ldc);
}

template <bool kSubtract>
void product(const float* a, std::int64_t lda, const float* b, std::int64_t ldb, std::int64_t k, std::int64_t m,
             std::int64_t n, float* c, std::int64_t ldc) noexcept {
  for (std::int64_t j = 0; j < n; j += kLane) column_of_tiles<kSubtract>(a, lda, b + j, ldb, k, m, c + j, ldc);
}

void add_gram(const float* x, std::int64_t ldx, std::int64_t k, std::int64_t n, float* c, std::int64_t ldc) noexcept {
  for (std::int64_t j = 0; j < n; j += kLane) column_of_tiles<false>(x, ldx, x + j, ldx, k, j + kLane, c + j, ldc);
}

__m256 lane(__m256 v, int index) noexcept {
  return _mm256_permutevar8x32_ps(v, _mm256_set1_epi32(index));
}

/// Zero in every lane but those from `first` to `last`.
__m256 only_lanes(__m256 v, int first, int last) noexcept {
  const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const __m256i from = _mm256_cmpgt_epi32(lanes, _mm256_set1_epi32(first - 1));
  const __m256i beyond = _mm256_cmpgt_epi32(lanes, _mm256_set1_epi32(last));
  return _mm256_and_ps(v, _mm256_castsi256_ps(_mm256_andnot_si256(beyond, from)));
}

/// Transposes an 8 x 8 block in registers.
void transpose(__m256 (&r)[kWidth]) noexcept {
  __m256 t[kWidth];
#pragma GCC unroll 2
  for (int i = 0; i < kWidth; i += 4) {
    const __m256 ab = _mm256_unpacklo_ps(r[i], r[i + 1]);
    const __m256 AB = _mm256_unpackhi_ps(r[i], r[i + 1]);
    const __m256 cd = _mm256_unpacklo_ps(r[i + 2], r[i + 3]);
    const __m256 CD = _mm256_unpackhi_ps(r[i + 2], r[i + 3]);
    t[i] = _mm256_shuffle_ps(ab, cd, 0x44);
    t[i + 1] = _mm256_shuffle_ps(ab, cd, 0xEE);
    t[i + 2] = _mm256_shuffle_ps(AB, CD, 0x44);
    t[i + 3] = _mm256_shuffle_ps(AB, CD, 0xEE);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    r[i] = _mm256_permute2f128_ps(t[i], t[i + 4], 0x20);
    r[i + 4] = _mm256_permute2f128_ps(t[i], t[i + 4], 0x31);
  }
}

/// Rows [0, kWidth) of `rows`, columns [j, j + kWidth) of them, less what the `above` rows of u before them contribute.
void load_rows(const float* u, std::int64_t lda, std::int64_t above, std::int64_t j, __m256 (&rows)[kWidth]) noexcept {
  const float* own = u + above * lda;
#pragma GCC unroll 8
  for (int r = 0; r < kWidth; ++r) rows[r] = _mm256_load_ps(own + r * lda + j);
  for (std::int64_t k = 0; k < above; ++k) {
    const __m256 right = _mm256_load_ps(u + k * lda + j);
#pragma GCC unroll 8
    for (int r = 0; r < kWidth; ++r)
      rows[r] = _mm256_fnmadd_ps(_mm256_broadcast_ss(u + k * lda + above + r), right, rows[r]);
  }
}

Pivots factor_rows(float* a, std::int64_t lda, std::int64_t width, float smallest) noexcept {
  for (std::int64_t above = 0; above < kLane; above += kWidth) {
    float* own = a + above * lda;
    __m256 rows[kWidth];
    __m256 scales[kWidth];
    load_rows(a, lda, above, above, rows);
#pragma GCC unroll 8
    for (int k = 0; k < kWidth; ++k) {
      const __m256 pivot = lane(rows[k], k);
      if (!(_mm256_cvtss_f32(pivot) <= __FLT_MAX__)) return Pivots::not_finite;
      if (!(_mm256_cvtss_f32(pivot) > smallest)) return Pivots::too_small;
      scales[k] = _mm256_div_ps(_mm256_set1_ps(1), _mm256_sqrt_ps(pivot));
      rows[k] = _mm256_mul_ps(rows[k], scales[k]);
      _mm256_store_ps(own + k * lda + above, rows[k]);
#pragma GCC unroll 8
      for (int i = k + 1; i < kWidth; ++i) rows[i] = _mm256_fnmadd_ps(lane(rows[k], i), rows[k], rows[i]);
    }
    for (std::int64_t j = above + kWidth; j < width; j += kWidth) {
      load_rows(a, lda, above, j, rows);
#pragma GCC unroll 8
      for (int k = 0; k < kWidth; ++k) {
        rows[k] = _mm256_mul_ps(rows[k], scales[k]);
        _mm256_store_ps(own + k * lda + j, rows[k]);
#pragma GCC unroll 8
        for (int i = k + 1; i < kWidth; ++i)
          rows[i] = _mm256_fnmadd_ps(_mm256_broadcast_ss(own + k * lda + above + i), rows[k], rows[i]);
      }
    }
  }
  return Pivots::good;
}

float sum_lanes(__m256 v) noexcept {
  __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  half = _mm_add_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}

void solve_upper(const float* u, std::int64_t ldu, std::int64_t n, float* b) noexcept {
  for (std::int64_t i = 0; i < n; i += kWidth) {
    const float* column = u + i;
    __m256 sums[4] = {_mm256_load_ps(b + i), _mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps()};
    for (std::int64_t k = 0; k < i; k += 4, column += 4 * ldu) {
#pragma GCC unroll 4
      for (int r = 0; r < 4; ++r)
        sums[r] = _mm256_fnmadd_ps(_mm256_broadcast_ss(b + k + r), _mm256_load_ps(column + r * ldu), sums[r]);
    }
    __m256 v = _mm256_add_ps(_mm256_add_ps(sums[0], sums[1]), _mm256_add_ps(sums[2], sums[3]));
    __m256 diagonal = _mm256_setzero_ps();
#pragma GCC unroll 8
    for (int k = 0; k < kWidth; ++k) {
      const __m256 row = _mm256_load_ps(column + k * ldu);
      diagonal = _mm256_or_ps(diagonal, only_lanes(row, k, k));
      const __m256 scaled = only_lanes(_mm256_div_ps(row, lane(row, k)), k + 1, kWidth);  // off the chain through v
      v = _mm256_fnmadd_ps(lane(v, k), scaled, v);
    }
    _mm256_store_ps(b + i, _mm256_div_ps(v, diagonal));
  }
  for (std::int64_t i = n - kWidth; i >= 0; i -= kWidth) {
    const float* row = u + i * ldu;
    __m256 block[kWidth];
#pragma GCC unroll 8
    for (int r = 0; r < kWidth; ++r) block[r] = _mm256_setzero_ps();
    for (std::int64_t j = i + kWidth; j < n; j += kWidth) {
      const __m256 x = _mm256_load_ps(b + j);
#pragma GCC unroll 8
      for (int r = 0; r < kWidth; ++r) block[r] = _mm256_fmadd_ps(_mm256_load_ps(row + r * ldu + j), x, block[r]);
    }
    transpose(block);
    const __m256 first = _mm256_add_ps(_mm256_add_ps(block[0], block[1]), _mm256_add_ps(block[2], block[3]));
    const __m256 second = _mm256_add_ps(_mm256_add_ps(block[4], block[5]), _mm256_add_ps(block[6], block[7]));
    __m256 v = _mm256_sub_ps(_mm256_load_ps(b + i), _mm256_add_ps(first, second));
#pragma GCC unroll 8
    for (int r = 0; r < kWidth; ++r) block[r] = _mm256_load_ps(row + r * ldu + i);
    transpose(block);  // columns of the triangle
    __m256 diagonal = _mm256_setzero_ps();
#pragma GCC unroll 8
    for (int k = kWidth - 1; k >= 0; --k) {
      diagonal = _mm256_or_ps(diagonal, only_lanes(block[k], k, k));
      const __m256 scaled = only_lanes(_mm256_div_ps(block[k], lane(block[k], k)), 0, k - 1);
      v = _mm256_fnmadd_ps(lane(v, k), scaled, v);
    }
    _mm256_store_ps(b + i, _mm256_div_ps(v, diagonal));
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
    const __m256 scale = _mm256_set1_ps(scales != nullptr ? scales[e] : 1.0F);
    for (std::int64_t i = 0; i < n; i += kWidth)
      _mm256_store_ps(out + e * ldo + i, _mm256_mul_ps(scale, _mm256_load_ps(row + i)));
  }
}

void gather_columns(const float* source, std::int64_t stride, const std::int32_t* columns, std::int64_t first,
                    const float* scales, const float* row_scales, std::int64_t count, std::int64_t n, float* out,
                    std::int64_t ldo) noexcept {
  const std::int64_t width = (count + kLane - 1) / kLane * kLane;
  for (std::int64_t e = 0; e < width; e += kWidth) {
    const float* rows[kWidth];
    float present[kWidth];
    for (std::int64_t r = 0; r < kWidth; ++r) {
      const bool is_present = e + r < count;
      rows[r] = row_of(source, stride, columns, first, is_present ? e + r : count - 1);
      present[r] = !is_present ? 0.0F : scales != nullptr ? scales[e + r] : 1.0F;
    }
    const __m256 scale = _mm256_loadu_ps(present);
    for (std::int64_t r = e + kWidth; r < e + 2 * kWidth && r < count; ++r) {
      const float* next = row_of(source, stride, columns, first, r);
      for (std::int64_t i = 0; i < n; i += kLane) _mm_prefetch(next + i, _MM_HINT_T0);
    }
    for (std::int64_t i = 0; i < n; i += kWidth) {
      __m256 block[kWidth];
#pragma GCC unroll 8
      for (int r = 0; r < kWidth; ++r) block[r] = _mm256_load_ps(rows[r] + i);
      transpose(block);
#pragma GCC unroll 8
      for (int r = 0; r < kWidth; ++r) {
        const __m256 both =
            row_scales != nullptr ? _mm256_mul_ps(scale, _mm256_broadcast_ss(row_scales + i + r)) : scale;
        _mm256_store_ps(out + (i + r) * ldo + e, _mm256_mul_ps(block[r], both));
      }
    }
  }
}

template <int W>
void add_rows_part(const float* source, std::int64_t stride, const std::int32_t* columns, const float* coefficients,
                   std::int64_t count, float* sum) noexcept {
  __m256 sums[W];
#pragma GCC unroll 8
  for (int w = 0; w < W; ++w) sums[w] = _mm256_load_ps(sum + w * kWidth);
  for (std::int64_t e = 0; e < count; ++e) {
    const float* row = row_of(source, stride, columns, 0, e);
    const __m256 coefficient = _mm256_broadcast_ss(coefficients + e);
#pragma GCC unroll 8
    for (int w = 0; w < W; ++w) sums[w] = _mm256_fmadd_ps(coefficient, _mm256_load_ps(row + w * kWidth), sums[w]);
  }
#pragma GCC unroll 8
  for (int w = 0; w < W; ++w) _mm256_store_ps(sum + w * kWidth, sums[w]);
}

void add_rows(const float* source, std::int64_t stride, const std::int32_t* columns, const float* coefficients,
              std::int64_t count, std::int64_t n, float* sum) noexcept {
  std::int64_t i = 0;
  for (; i + 8 * kWidth <= n; i += 8 * kWidth)  // eight sums are as many as multiplications are under way at a time
    add_rows_part<8>(source + i, stride, columns, coefficients, count, sum + i);
  for (; i < n; i += 2 * kWidth) add_rows_part<2>(source + i, stride, columns, coefficients, count, sum + i);
}

void dot_rows(const float* source, std::int64_t stride, const std::int32_t* columns, std::int64_t count, const float* x,
              std::int64_t n, float* products) noexcept {
  std::int64_t e = 0;
  for (; e + 4 <= count; e += 4) {
    const float* rows[4];
    __m256 low[4];
    __m256 high[4];
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) {
      rows[r] = row_of(source, stride, columns, 0, e + r);
      low[r] = _mm256_setzero_ps();
      high[r] = _mm256_setzero_ps();
    }
    for (std::int64_t i = 0; i < n; i += kLane) {
      const __m256 left = _mm256_load_ps(x + i);
      const __m256 right = _mm256_load_ps(x + i + kWidth);
#pragma GCC unroll 4
      for (int r = 0; r < 4; ++r) {
        low[r] = _mm256_fmadd_ps(_mm256_load_ps(rows[r] + i), left, low[r]);
        high[r] = _mm256_fmadd_ps(_mm256_load_ps(rows[r] + i + kWidth), right, high[r]);
      }
    }
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) products[e + r] = sum_lanes(_mm256_add_ps(low[r], high[r]));
  }
  for (; e < count; ++e) {
    const float* row = row_of(source, stride, columns, 0, e);
    __m256 low = _mm256_setzero_ps();
    __m256 high = _mm256_setzero_ps();
    for (std::int64_t i = 0; i < n; i += kLane) {
      low = _mm256_fmadd_ps(_mm256_load_ps(row + i), _mm256_load_ps(x + i), low);
      high = _mm256_fmadd_ps(_mm256_load_ps(row + i + kWidth), _mm256_load_ps(x + i + kWidth), high);
    }
    products[e] = sum_lanes(_mm256_add_ps(low, high));
  }
}

float multiply(const float* d, const float* x, std::int64_t n, float* out) noexcept {
  __m256 sum = _mm256_setzero_ps();
  for (std::int64_t i = 0; i < n; i += kWidth) {
    const __m256 right = _mm256_load_ps(x + i);
    const __m256 both = _mm256_mul_ps(_mm256_load_ps(d + i), right);
    _mm256_store_ps(out + i, both);
    sum = _mm256_fmadd_ps(both, right, sum);
  }
  return sum_lanes(sum);
}

float advance(float length, const float* direction, const float* product, const float* inverse, std::int64_t n,
              float* x, float* residual) noexcept {
  const __m256 factor = _mm256_set1_ps(length);
  __m256 sum = _mm256_setzero_ps();
  for (std::int64_t i = 0; i < n; i += kWidth) {
    _mm256_store_ps(x + i, _mm256_fmadd_ps(factor, _mm256_load_ps(direction + i), _mm256_load_ps(x + i)));
    const __m256 left = _mm256_fnmadd_ps(factor, _mm256_load_ps(product + i), _mm256_load_ps(residual + i));
    _mm256_store_ps(residual + i, left);
    sum = _mm256_fmadd_ps(_mm256_mul_ps(left, _mm256_load_ps(inverse + i)), left, sum);
  }
  return sum_lanes(sum);
}

void turn(float keep, const float* residual, const float* inverse, std::int64_t n, float* direction) noexcept {
  const __m256 factor = _mm256_set1_ps(keep);
  for (std::int64_t i = 0; i < n; i += kWidth) {
    const __m256 steepest = _mm256_mul_ps(_mm256_load_ps(inverse + i), _mm256_load_ps(residual + i));
    _mm256_store_ps(direction + i, _mm256_fmadd_ps(factor, _mm256_load_ps(direction + i), steepest));
  }
}

}  // namespace
}  // namespace avx2

const LeastSquaresKernels least_squares_avx2{"avx2",
                                             avx2::product<false>,
                                             avx2::product<true>,
                                             avx2::add_gram,
                                             avx2::factor_rows,
                                             avx2::solve_upper,
                                             avx2::gather_rows,
                                             avx2::gather_columns,
                                             avx2::add_rows,
                                             avx2::dot_rows,
                                             avx2::multiply,
                                             avx2::advance,
                                             avx2::turn};

}  // namespace recocore::kernels
