// Compiled with AVX-512 F, BW, DQ and VL. Includes only intrinsics, so that no inline function compiled here can be
// linked elsewhere.
#include <immintrin.h>

#include "kernels/forest/kernel.hpp"

namespace recocore::kernels {
namespace avx512 {
namespace {

constexpr int kGroups = 4;

void encode(const double* thresholds, std::int64_t n, const double* values, std::int64_t rows,
            std::int32_t* codes) noexcept {
  constexpr std::int64_t kLanes = 8;
  for (std::int64_t first = 0; first < rows; first += kGroups * kLanes) {
    __m256i at[kGroups];
    __m512d x[kGroups];
    for (int g = 0; g < kGroups; ++g) {
      at[g] = _mm256_setzero_si256();
      x[g] = _mm512_loadu_pd(values + first + g * kLanes);
    }
    const auto step = [&](int g, std::int64_t offset, std::int64_t by) {
      const __m512d t = _mm512_i32gather_pd(at[g], thresholds + offset, 8);
      const __mmask8 below = _mm512_cmp_pd_mask(t, x[g], _CMP_LT_OQ);
      at[g] = _mm256_mask_add_epi32(at[g], below, at[g], _mm256_set1_epi32(static_cast<int>(by)));
    };
    for (std::int64_t length = n; length > 1;) {
      const std::int64_t half = length / 2;
#pragma GCC unroll 4
      for (int g = 0; g < kGroups; ++g) step(g, half - 1, half);
      length -= half;
    }
    for (int g = 0; g < kGroups; ++g) {
      step(g, 0, 1);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(codes + first + g * kLanes), at[g]);
    }
  }
}

void add_leaves(const std::uint32_t* nodes, const double* leaves, int height, const std::int32_t* codes,
                std::int64_t rows, double* sums) noexcept {
  constexpr std::int64_t kLanes = 16;
  static_assert(kCodedRows == 1 << 7 && kCodedTogether == kGroups * kLanes && kCodedSlack >= 63);
  const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const __m512i one = _mm512_set1_epi32(1);
  const __m512i number = _mm512_set1_epi32(0xFFFF);
  const __m512i inner = _mm512_set1_epi32((1 << height) - 1);
  // The upper six levels lie in registers, whose permutation costs a fraction of a gather.
  const __m512i upper = _mm512_loadu_si512(nodes);
  const __m512i fifth = _mm512_loadu_si512(nodes + 15);
  const __m512i sixth_low = _mm512_loadu_si512(nodes + 31);
  const __m512i sixth_high = _mm512_loadu_si512(nodes + 47);
  for (std::int64_t first = 0; first < rows; first += kGroups * kLanes) {
    __m512i at[kGroups];
    for (int g = 0; g < kGroups; ++g) at[g] = _mm512_setzero_si512();
    const auto descend = [&](int g, __m512i node) {
      const __m512i row = _mm512_add_epi32(lane, _mm512_set1_epi32(static_cast<int>(first + g * kLanes)));
      const __m512i place = _mm512_add_epi32(_mm512_slli_epi32(_mm512_srli_epi32(node, 16), 7), row);
      const __m512i code = _mm512_i32gather_epi32(place, codes, 4);
      const __mmask16 right = _mm512_cmpgt_epi32_mask(code, _mm512_and_si512(node, number));
      at[g] = _mm512_add_epi32(_mm512_add_epi32(at[g], at[g]), one);
      at[g] = _mm512_mask_add_epi32(at[g], right, at[g], one);
    };
    for (int level = 0; level < height; ++level) {
#pragma GCC unroll 4
      for (int g = 0; g < kGroups; ++g) {
        if (level < 4)
          descend(g, _mm512_permutexvar_epi32(at[g], upper));
        else if (level == 4)
          descend(g, _mm512_permutexvar_epi32(_mm512_sub_epi32(at[g], _mm512_set1_epi32(15)), fifth));
        else if (level == 5)
          descend(g, _mm512_permutex2var_epi32(sixth_low, _mm512_sub_epi32(at[g], _mm512_set1_epi32(31)), sixth_high));
        else
          descend(g, _mm512_i32gather_epi32(at[g], reinterpret_cast<const int*>(nodes), 4));
      }
    }
    for (int g = 0; g < kGroups; ++g) {
      const __m512i leaf = _mm512_sub_epi32(at[g], inner);
      double* sum = sums + first + g * kLanes;
      const __m512d low = _mm512_i32gather_pd(_mm512_castsi512_si256(leaf), leaves, 8);
      const __m512d high = _mm512_i32gather_pd(_mm512_extracti64x4_epi64(leaf, 1), leaves, 8);
      _mm512_storeu_pd(sum, _mm512_add_pd(_mm512_loadu_pd(sum), low));
      _mm512_storeu_pd(sum + 8, _mm512_add_pd(_mm512_loadu_pd(sum + 8), high));
    }
  }
}

}  // namespace
}  // namespace avx512

const ForestKernels forest_avx512{"avx512", avx512::encode, avx512::add_leaves};

}  // namespace recocore::kernels
