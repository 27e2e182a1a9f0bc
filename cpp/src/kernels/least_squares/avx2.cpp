// Compiled with -mavx2 -mfma. Includes only intrinsics, so that no inline function compiled here can be linked
// elsewhere.
#include <immintrin.h>

#include "kernels/least_squares/kernel.hpp"

namespace recocore::kernels {
namespace avx2 {
namespace {

constexpr std::int64_t kWidth = 8;
// 4 x 16 sums take eight of 16 registers: as many as multiplications are under way at a time.
constexpr int kTileRows = 4;

template <bool kSubtract>
void tile(const float* a, std::int64_t lda, const float* b, std::int64_t ldb, std::int64_t k, float* c,
          std::int64_t ldc) noexcept {
  __m256 sums[kTileRows][2];
#pragma GCC unroll 4
  for (int r = 0; r < kTileRows; ++r) {
    sums[r][0] = _mm256_load_ps(c + r * ldc);
    sums[r][1] = _mm256_load_ps(c + r * ldc + kWidth);
  }
  for (std::int64_t p = 0; p < k; ++p) {
    const __m256 low = _mm256_load_ps(b);
    const __m256 high = _mm256_load_ps(b + kWidth);
#pragma GCC unroll 4
    for (int r = 0; r < kTileRows; ++r) {
      const __m256 left = _mm256_broadcast_ss(a + r);
      sums[r][0] = kSubtract ? _mm256_fnmadd_ps(left, low, sums[r][0]) : _mm256_fmadd_ps(left, low, sums[r][0]);
      sums[r][1] = kSubtract ? _mm256_fnmadd_ps(left, high, sums[r][1]) : _mm256_fmadd_ps(left, high, sums[r][1]);
    }
    a += lda;
    b += ldb;
  }
#pragma GCC unroll 4
  for (int r = 0; r < kTileRows; ++r) {
    _mm256_store_ps(c + r * ldc, sums[r][0]);
    _mm256_store_ps(c + r * ldc + kWidth, sums[r][1]);
  }
}

template <bool kSubtract>
void product(const float* a, std::int64_t lda, const float* b, std::int64_t ldb, std::int64_t k, std::int64_t m,
             std::int64_t n, float* c, std::int64_t ldc) noexcept {
  for (std::int64_t j = 0; j < n; j += kLane)
    for (std::int64_t i = 0; i < m; i += kTileRows) tile<kSubtract>(a + i, lda, b + j, ldb, k, c + i * ldc + j, ldc);
}

void add_gram(const float* x, std::int64_t ldx, std::int64_t k, std::int64_t n, float* c, std::int64_t ldc) noexcept {
  for (std::int64_t j = 0; j < n; j += kLane)
    for (std::int64_t i = 0; i < j + kLane; i += kTileRows)
      tile<false>(x + i, ldx, x + j, ldx, k, c + i * ldc + j, ldc);
}

Pivots factor_rows(float* a, std::int64_t lda, std::int64_t width, float smallest) noexcept {
  float scales[kLane];
  for (std::int64_t k = 0; k < kLane; ++k) {
    float* row = a + k * lda;
    if (!(row[k] <= __FLT_MAX__)) return Pivots::not_finite;
    if (!(row[k] > smallest)) return Pivots::too_small;
    const __m128 root = _mm_sqrt_ss(_mm_load_ss(row + k));
    scales[k] = _mm_cvtss_f32(_mm_div_ss(_mm_set_ss(1), root));
    for (std::int64_t j = k / kWidth * kWidth; j < kLane; j += kWidth)
      _mm256_store_ps(row + j, _mm256_mul_ps(_mm256_load_ps(row + j), _mm256_set1_ps(scales[k])));
    for (std::int64_t i = k + 1; i < kLane; ++i)
      for (std::int64_t j = i / kWidth * kWidth; j < kLane; j += kWidth)
        _mm256_store_ps(a + i * lda + j, _mm256_fnmadd_ps(_mm256_broadcast_ss(row + i), _mm256_load_ps(row + j),
                                                          _mm256_load_ps(a + i * lda + j)));
  }
  for (std::int64_t j = kLane; j < width; j += kWidth) {
    for (std::int64_t k = 0; k < kLane; ++k) {
      __m256 row = _mm256_load_ps(a + k * lda + j);
      for (std::int64_t i = 0; i < k; ++i)
        row = _mm256_fnmadd_ps(_mm256_broadcast_ss(a + i * lda + k), _mm256_load_ps(a + i * lda + j), row);
      _mm256_store_ps(a + k * lda + j, _mm256_mul_ps(row, _mm256_set1_ps(scales[k])));
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
  for (std::int64_t k = 0; k < n; ++k) {
    const float* row = u + k * ldu;
    b[k] /= row[k];
    const std::int64_t whole = (k + kWidth) / kWidth * kWidth;
    for (std::int64_t j = k + 1; j < whole; ++j) b[j] -= b[k] * row[j];
    const __m256 factor = _mm256_set1_ps(b[k]);
    for (std::int64_t j = whole; j < n; j += kWidth)
      _mm256_store_ps(b + j, _mm256_fnmadd_ps(factor, _mm256_load_ps(row + j), _mm256_load_ps(b + j)));
  }
  for (std::int64_t k = n - 1; k >= 0; --k) {
    const float* row = u + k * ldu;
    const std::int64_t whole = (k + kWidth) / kWidth * kWidth;
    __m256 sums = _mm256_setzero_ps();
    for (std::int64_t j = whole; j < n; j += kWidth)
      sums = _mm256_fmadd_ps(_mm256_load_ps(row + j), _mm256_load_ps(b + j), sums);
    float sum = b[k] - sum_lanes(sums);
    for (std::int64_t j = k + 1; j < whole; ++j) sum -= row[j] * b[j];
    b[k] = sum / row[k];
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

void add_rows(const float* source, std::int64_t stride, const std::int32_t* columns, const float* coefficients,
              std::int64_t count, std::int64_t n, float* sum) noexcept {
  for (std::int64_t i = 0; i < n; i += kLane) {
    __m256 low = _mm256_load_ps(sum + i);
    __m256 high = _mm256_load_ps(sum + i + kWidth);
    for (std::int64_t e = 0; e < count; ++e) {
      const float* row = row_of(source, stride, columns, 0, e) + i;
      const __m256 coefficient = _mm256_broadcast_ss(coefficients + e);
      low = _mm256_fmadd_ps(coefficient, _mm256_load_ps(row), low);
      high = _mm256_fmadd_ps(coefficient, _mm256_load_ps(row + kWidth), high);
    }
    _mm256_store_ps(sum + i, low);
    _mm256_store_ps(sum + i + kWidth, high);
  }
}

void dot_rows(const float* source, std::int64_t stride, const std::int32_t* columns, std::int64_t count, const float* x,
              std::int64_t n, float* products) noexcept {
  for (std::int64_t e = 0; e < count; ++e) {
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
                                             avx2::dot_rows};

}  // namespace recocore::kernels
