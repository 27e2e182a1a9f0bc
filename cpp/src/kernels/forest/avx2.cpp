// Compiled with -mavx2 -mfma. Includes only intrinsics, so that no inline function compiled here can be linked
// elsewhere.
#include <immintrin.h>

#include "kernels/forest/kernel.hpp"

namespace recocore::kernels {
namespace avx2 {
namespace {

constexpr std::int64_t kWidth = 4;
constexpr int kGroups = 4;

void encode(const double* thresholds, std::int64_t n, const double* values, std::int64_t rows,
            std::int32_t* codes) noexcept {
  for (std::int64_t first = 0; first < rows; first += kGroups * kWidth) {
    __m256i at[kGroups];
    __m256d x[kGroups];
    for (int g = 0; g < kGroups; ++g) {
      at[g] = _mm256_setzero_si256();
      x[g] = _mm256_loadu_pd(values + first + g * kWidth);
    }
    const auto step = [&](int g, std::int64_t offset, std::int64_t by) {
      const __m256d t = _mm256_i64gather_pd(thresholds + offset, at[g], 8);
      const __m256i below = _mm256_castpd_si256(_mm256_cmp_pd(t, x[g], _CMP_LT_OQ));
      at[g] = _mm256_add_epi64(at[g], _mm256_and_si256(below, _mm256_set1_epi64x(by)));
    };
    for (std::int64_t length = n; length > 1;) {
      const std::int64_t half = length / 2;
#pragma GCC unroll 4
      for (int g = 0; g < kGroups; ++g) step(g, half - 1, half);
      length -= half;
    }
    const __m256i low = _mm256_setr_epi32(0, 2, 4, 6, 0, 0, 0, 0);
    for (int g = 0; g < kGroups; ++g) {
      step(g, 0, 1);
      _mm_storeu_si128(reinterpret_cast<__m128i*>(codes + first + g * kWidth),
                       _mm256_castsi256_si128(_mm256_permutevar8x32_epi32(at[g], low)));
    }
  }
}

/// _mm256_i32gather_pd, whose undefined vector GCC 12 takes for an uninitialized variable.
__m256d gather(const double* base, __m128i at) {
  const __m256d all = _mm256_castsi256_pd(_mm256_set1_epi64x(-1));
  return _mm256_mask_i32gather_pd(_mm256_setzero_pd(), base, at, all, 8);
}

void add_leaves(const std::uint32_t* nodes, const double* leaves, int height, const std::int32_t* codes,
                std::int64_t rows, double* sums) noexcept {
  constexpr std::int64_t kLanes = 8;
  static_assert(kCodedRows == 1 << 7);
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const __m256i one = _mm256_set1_epi32(1);
  const __m256i inner = _mm256_set1_epi32((1 << height) - 1);
  for (std::int64_t first = 0; first < rows; first += kGroups * kLanes) {
    __m256i at[kGroups];
    for (int g = 0; g < kGroups; ++g) at[g] = _mm256_setzero_si256();
    for (int level = 0; level < height; ++level) {
#pragma GCC unroll 4
      for (int g = 0; g < kGroups; ++g) {
        const __m256i node = _mm256_i32gather_epi32(reinterpret_cast<const int*>(nodes), at[g], 4);
        const __m256i row = _mm256_add_epi32(lane, _mm256_set1_epi32(static_cast<int>(first + g * kLanes)));
        const __m256i place = _mm256_add_epi32(_mm256_slli_epi32(_mm256_srli_epi32(node, 16), 7), row);
        const __m256i code = _mm256_i32gather_epi32(codes, place, 4);
        const __m256i right = _mm256_cmpgt_epi32(code, _mm256_and_si256(node, _mm256_set1_epi32(0xFFFF)));
        at[g] = _mm256_sub_epi32(_mm256_add_epi32(_mm256_add_epi32(at[g], at[g]), one), right);
      }
    }
    for (int g = 0; g < kGroups; ++g) {
      const __m256i leaf = _mm256_sub_epi32(at[g], inner);
      double* sum = sums + first + g * kLanes;
      const __m256d low = gather(leaves, _mm256_castsi256_si128(leaf));
      const __m256d high = gather(leaves, _mm256_extracti128_si256(leaf, 1));
      _mm256_storeu_pd(sum, _mm256_add_pd(_mm256_loadu_pd(sum), low));
      _mm256_storeu_pd(sum + kWidth, _mm256_add_pd(_mm256_loadu_pd(sum + kWidth), high));
    }
  }
}

}  // namespace
}  // namespace avx2

const ForestKernels forest_avx2{"avx2", avx2::encode, avx2::add_leaves};

}  // namespace recocore::kernels
