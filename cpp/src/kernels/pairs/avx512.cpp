// Compiled with -mavx512f -mavx512bw -mavx512dq -mavx512vl. Includes only intrinsics, so that no inline function
// compiled here can be linked elsewhere.
#include <immintrin.h>

#include "kernels/pairs/kernel.hpp"

namespace recocore::kernels {
namespace avx512 {
namespace {

struct Bits512 {
  static constexpr std::int64_t kWords = 8;
  __m512i v;

  static Bits512 zero() noexcept { return {_mm512_setzero_si512()}; }
  static Bits512 load(const std::uint64_t* words) noexcept { return {_mm512_loadu_si512(words)}; }
  void store(std::uint64_t* words) const noexcept { _mm512_storeu_si512(words, v); }

  static void expand(const std::uint64_t* const* planes, const std::uint32_t* worth, int terms,
                     std::uint32_t* sums) noexcept {
    // Four vectors of sums at a time, so that their additions do not wait for one another.
    for (std::int64_t w = 0; w < kWords; ++w) {
      __m512i s0 = _mm512_loadu_si512(sums + 64 * w);
      __m512i s1 = _mm512_loadu_si512(sums + 64 * w + 16);
      __m512i s2 = _mm512_loadu_si512(sums + 64 * w + 32);
      __m512i s3 = _mm512_loadu_si512(sums + 64 * w + 48);
      for (int t = 0; t < terms; ++t) {
        const std::uint64_t bits = planes[t][w];
        const __m512i one = _mm512_set1_epi32(static_cast<int>(worth[t]));
        s0 = _mm512_mask_add_epi32(s0, static_cast<__mmask16>(bits), s0, one);
        s1 = _mm512_mask_add_epi32(s1, static_cast<__mmask16>(bits >> 16), s1, one);
        s2 = _mm512_mask_add_epi32(s2, static_cast<__mmask16>(bits >> 32), s2, one);
        s3 = _mm512_mask_add_epi32(s3, static_cast<__mmask16>(bits >> 48), s3, one);
      }
      _mm512_storeu_si512(sums + 64 * w, s0);
      _mm512_storeu_si512(sums + 64 * w + 16, s1);
      _mm512_storeu_si512(sums + 64 * w + 32, s2);
      _mm512_storeu_si512(sums + 64 * w + 48, s3);
    }
  }
};

inline void add(Bits512 a, Bits512 b, Bits512 c, Bits512& high, Bits512& low) noexcept {
  high.v = _mm512_ternarylogic_epi64(a.v, b.v, c.v, 0xE8);
  low.v = _mm512_ternarylogic_epi64(a.v, b.v, c.v, 0x96);
}

#include "kernels/pairs/count_bits.inl"

/// Which of 16 sums pass either side's bar.
inline __mmask16 passes(__m512 sums, const ScreenTerms& t, std::int64_t j) noexcept {
  const __m512 own = _mm512_fmadd_ps(_mm512_set1_ps(t.alpha), _mm512_loadu_ps(t.x + j), _mm512_set1_ps(t.beta));
  const __m512 theirs = _mm512_fmadd_ps(_mm512_loadu_ps(t.y + j), _mm512_set1_ps(t.g), _mm512_loadu_ps(t.z + j));
  return static_cast<__mmask16>(_mm512_cmp_ps_mask(sums, own, _CMP_GE_OQ) |
                                _mm512_cmp_ps_mask(sums, theirs, _CMP_GE_OQ));
}

inline __m512 to_float(const double* sums) noexcept {
  const __m256 low = _mm512_cvtpd_ps(_mm512_loadu_pd(sums));
  const __m256 high = _mm512_cvtpd_ps(_mm512_loadu_pd(sums + 8));
  return _mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1);
}

inline __mmask16 not_zero(const double* sums) noexcept {
  const __m512d zero = _mm512_setzero_pd();
  const unsigned low = _mm512_cmp_pd_mask(_mm512_loadu_pd(sums), zero, _CMP_NEQ_UQ);
  const unsigned high = _mm512_cmp_pd_mask(_mm512_loadu_pd(sums + 8), zero, _CMP_NEQ_UQ);
  return static_cast<__mmask16>(low | high << 8);
}

inline std::int64_t keep(__mmask16 mask, std::int64_t j, std::int64_t kept_so_far, std::int32_t* kept) noexcept {
  const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  _mm512_mask_compressstoreu_epi32(kept + kept_so_far, mask,
                                   _mm512_add_epi32(lanes, _mm512_set1_epi32(static_cast<int>(j))));
  return kept_so_far + __builtin_popcount(mask);
}

std::int64_t screen_u16(const std::uint16_t* sums, std::int64_t count, std::uint32_t floor, const ScreenTerms& terms,
                        std::int32_t* kept) noexcept {
  std::int64_t n = 0;
  const __m512i least = _mm512_set1_epi32(static_cast<int>(floor));
  for (std::int64_t j = 0; j < count; j += 32) {
    const __m512i both = _mm512_loadu_si512(sums + j);
    if (_mm512_test_epi16_mask(both, both) == 0) continue;
    const __m512i low = _mm512_cvtepu16_epi32(_mm512_castsi512_si256(both));
    const __m512i high = _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(both, 1));
    const __mmask16 low_mask =
        _mm512_mask_cmp_epu32_mask(passes(_mm512_cvtepi32_ps(low), terms, j), low, least, _MM_CMPINT_NLT);
    const __mmask16 high_mask =
        _mm512_mask_cmp_epu32_mask(passes(_mm512_cvtepi32_ps(high), terms, j + 16), high, least, _MM_CMPINT_NLT);
    if (low_mask != 0) n = keep(low_mask, j, n, kept);
    if (high_mask != 0) n = keep(high_mask, j + 16, n, kept);
  }
  return n;
}

std::int64_t screen_u32(const std::uint32_t* sums, std::int64_t count, std::uint32_t floor, const ScreenTerms& terms,
                        std::int32_t* kept) noexcept {
  std::int64_t n = 0;
  const __m512i least = _mm512_set1_epi32(static_cast<int>(floor));
  for (std::int64_t j = 0; j < count; j += 16) {
    const __m512i own = _mm512_loadu_si512(sums + j);
    const __mmask16 enough = _mm512_cmp_epu32_mask(own, least, _MM_CMPINT_NLT);
    if (enough == 0) continue;
    const auto mask = static_cast<__mmask16>(enough & passes(_mm512_cvtepu32_ps(own), terms, j));
    if (mask != 0) n = keep(mask, j, n, kept);
  }
  return n;
}

std::int64_t screen_f64(const double* sums, std::int64_t count, const ScreenTerms& terms, std::int32_t* kept) noexcept {
  std::int64_t n = 0;
  for (std::int64_t j = 0; j < count; j += 16) {
    const __mmask16 enough = not_zero(sums + j);
    if (enough == 0) continue;
    const auto mask = static_cast<__mmask16>(enough & passes(to_float(sums + j), terms, j));
    if (mask != 0) n = keep(mask, j, n, kept);
  }
  return n;
}

#include "kernels/pairs/steps.inl"

std::int64_t screen_steps_u8(const std::uint8_t* counts, const CountStep* steps, std::int64_t count,
                             std::uint64_t* words, std::int32_t* places) noexcept {
  return screen_steps(counts, steps, count, words, places, [](const std::uint8_t* some, std::uint32_t least) {
    return std::uint64_t{_mm512_cmpge_epu8_mask(_mm512_loadu_si512(some), _mm512_set1_epi8(static_cast<char>(least)))};
  });
}

std::int64_t screen_steps_u16(const std::uint16_t* counts, const CountStep* steps, std::int64_t count,
                              std::uint64_t* words, std::int32_t* places) noexcept {
  return screen_steps(counts, steps, count, words, places, [](const std::uint16_t* some, std::uint32_t least) {
    const __m512i floor = _mm512_set1_epi16(static_cast<short>(least));
    const std::uint64_t low = _mm512_cmpge_epu16_mask(_mm512_loadu_si512(some), floor);
    const std::uint64_t high = _mm512_cmpge_epu16_mask(_mm512_loadu_si512(some + 32), floor);
    return low | high << 32;
  });
}

/// Lanes of the last, partial vector.
inline __mmask16 lanes_left(std::int64_t count) noexcept {
  return count >= 16 ? static_cast<__mmask16>(0xFFFF) : static_cast<__mmask16>((1U << count) - 1U);
}

void rough_scores_u16(const std::uint16_t* sums, const std::int32_t* positions, std::int64_t count, const float* x,
                      const RoughTerms& terms, float* scores) noexcept {
  const __m512 base = _mm512_set1_ps(terms.base);
  const __m512 slope = _mm512_set1_ps(terms.slope);
  const __m512 own = _mm512_set1_ps(terms.own);
  const __m512i zero = _mm512_setzero_si512();
  for (std::int64_t n = 0; n < count; n += 16) {
    const __mmask16 lanes = lanes_left(count - n);
    const __m512i at = _mm512_maskz_loadu_epi32(lanes, positions + n);
    const __m512i pairs = _mm512_mask_i32gather_epi32(zero, lanes, at, sums, 2);
    const __m512 sum = _mm512_cvtepi32_ps(_mm512_and_si512(pairs, _mm512_set1_epi32(0xFFFF)));
    const __m512 figure = _mm512_mask_i32gather_ps(_mm512_setzero_ps(), lanes, at, x, 4);
    const __m512 below = _mm512_fmadd_ps(own, sum, _mm512_fmadd_ps(slope, figure, base));
    _mm512_mask_storeu_ps(scores + n, lanes, _mm512_div_ps(sum, below));
  }
}

std::int64_t count_at_least(const float* scores, std::int64_t count, float bound) noexcept {
  std::int64_t n = 0;
  const __m512 least = _mm512_set1_ps(bound);
  for (std::int64_t s = 0; s < count; s += 16) {
    const __mmask16 lanes = lanes_left(count - s);
    n +=
        __builtin_popcount(_mm512_mask_cmp_ps_mask(lanes, _mm512_maskz_loadu_ps(lanes, scores + s), least, _CMP_GE_OQ));
  }
  return n;
}

std::int64_t keep_at_least(const float* scores, const std::int32_t* positions, std::int64_t count, float bound,
                           std::int32_t* kept) noexcept {
  std::int64_t n = 0;
  const __m512 least = _mm512_set1_ps(bound);
  for (std::int64_t s = 0; s < count; s += 16) {
    const __mmask16 lanes = lanes_left(count - s);
    const __mmask16 mask = _mm512_mask_cmp_ps_mask(lanes, _mm512_maskz_loadu_ps(lanes, scores + s), least, _CMP_GE_OQ);
    _mm512_mask_compressstoreu_epi32(kept + n, mask, _mm512_maskz_loadu_epi32(lanes, positions + s));
    n += __builtin_popcount(mask);
  }
  return n;
}

}  // namespace
}  // namespace avx512

const PairKernels pairs_avx512{"avx512",
                               avx512::count_bits_of<avx512::Bits512>,
                               avx512::screen_u16,
                               avx512::screen_u32,
                               avx512::screen_f64,
                               avx512::screen_steps_u8,
                               avx512::screen_steps_u16,
                               avx512::rough_scores_u16,
                               avx512::count_at_least,
                               avx512::keep_at_least};

}  // namespace recocore::kernels
