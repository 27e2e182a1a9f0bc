// Compiled with -mavx2 -mfma. Includes only intrinsics, so that no inline function compiled here can be linked
// elsewhere.
#include <immintrin.h>

#include "kernels/pairs/kernel.hpp"

namespace recocore::kernels {
namespace avx2 {
namespace {

struct Bits256 {
  static constexpr std::int64_t kWords = 4;
  __m256i v;

  static Bits256 zero() noexcept { return {_mm256_setzero_si256()}; }
  static Bits256 load(const std::uint64_t* words) noexcept {
    return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(words))};
  }
  void store(std::uint64_t* words) const noexcept { _mm256_storeu_si256(reinterpret_cast<__m256i*>(words), v); }

  static void expand(const std::uint64_t* const* planes, const std::uint32_t* worth, int terms,
                     std::uint32_t* sums) noexcept {
    const __m256i lanes = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    for (std::int64_t byte = 0; byte < 8 * kWords; ++byte) {
      auto* const own = reinterpret_cast<__m256i*>(sums + 8 * byte);
      __m256i total = _mm256_loadu_si256(own);
      for (int t = 0; t < terms; ++t) {
        const auto bits = static_cast<int>(planes[t][byte / 8] >> (byte % 8 * 8) & 0xFF);
        const __m256i set = _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(bits), lanes), lanes);
        const __m256i one = _mm256_set1_epi32(static_cast<int>(worth[t]));
        total = _mm256_add_epi32(total, _mm256_and_si256(set, one));
      }
      _mm256_storeu_si256(own, total);
    }
  }
};

inline void add(Bits256 a, Bits256 b, Bits256 c, Bits256& high, Bits256& low) noexcept {
  const __m256i differ = _mm256_xor_si256(a.v, b.v);
  high.v = _mm256_or_si256(_mm256_and_si256(a.v, b.v), _mm256_and_si256(differ, c.v));
  low.v = _mm256_xor_si256(differ, c.v);
}

#include "kernels/pairs/count_bits.inl"

/// Which of 8 sums pass either side's bar, a bit each.
inline unsigned passes(__m256 sums, const ScreenTerms& t, std::int64_t j) noexcept {
  const __m256 own = _mm256_fmadd_ps(_mm256_set1_ps(t.alpha), _mm256_loadu_ps(t.x + j), _mm256_set1_ps(t.beta));
  const __m256 theirs = _mm256_fmadd_ps(_mm256_loadu_ps(t.y + j), _mm256_set1_ps(t.g), _mm256_loadu_ps(t.z + j));
  const __m256 either = _mm256_or_ps(_mm256_cmp_ps(sums, own, _CMP_GE_OQ), _mm256_cmp_ps(sums, theirs, _CMP_GE_OQ));
  return static_cast<unsigned>(_mm256_movemask_ps(either));
}

/// Exact up to 2^24 and rounded to nearest above, as the conversion of one number is.
inline __m256 to_float(__m256i sums) noexcept {
  const __m256 high = _mm256_cvtepi32_ps(_mm256_srli_epi32(sums, 16));
  const __m256 low = _mm256_cvtepi32_ps(_mm256_and_si256(sums, _mm256_set1_epi32(0xFFFF)));
  return _mm256_fmadd_ps(high, _mm256_set1_ps(65536.0F), low);
}

inline __m256 to_float(const double* sums) noexcept {
  return _mm256_set_m128(_mm256_cvtpd_ps(_mm256_loadu_pd(sums + 4)), _mm256_cvtpd_ps(_mm256_loadu_pd(sums)));
}

inline unsigned not_less(__m256i sums, __m256i least) noexcept {
  return static_cast<unsigned>(
      _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_max_epu32(sums, least), sums))));
}

inline unsigned not_zero(const double* sums) noexcept {
  const __m256d zero = _mm256_setzero_pd();
  const int low = _mm256_movemask_pd(_mm256_cmp_pd(_mm256_loadu_pd(sums), zero, _CMP_NEQ_UQ));
  const int high = _mm256_movemask_pd(_mm256_cmp_pd(_mm256_loadu_pd(sums + 4), zero, _CMP_NEQ_UQ));
  return static_cast<unsigned>(low | high << 4);
}

inline std::int64_t keep(unsigned mask, std::int64_t j, std::int64_t kept_so_far, std::int32_t* kept) noexcept {
  for (; mask != 0; mask &= mask - 1) kept[kept_so_far++] = static_cast<std::int32_t>(j + __builtin_ctz(mask));
  return kept_so_far;
}

std::int64_t screen_u16(const std::uint16_t* sums, std::int64_t count, std::uint32_t floor, const ScreenTerms& terms,
                        std::int32_t* kept) noexcept {
  std::int64_t n = 0;
  const __m256i least = _mm256_set1_epi32(static_cast<int>(floor));
  for (std::int64_t j = 0; j < count; j += 16) {
    const __m256i both = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(sums + j));
    if (_mm256_testz_si256(both, both) != 0) continue;
    const __m256i low = _mm256_cvtepu16_epi32(_mm256_castsi256_si128(both));
    const __m256i high = _mm256_cvtepu16_epi32(_mm256_extracti128_si256(both, 1));
    n = keep(not_less(low, least) & passes(_mm256_cvtepi32_ps(low), terms, j), j, n, kept);
    n = keep(not_less(high, least) & passes(_mm256_cvtepi32_ps(high), terms, j + 8), j + 8, n, kept);
  }
  return n;
}

std::int64_t screen_u32(const std::uint32_t* sums, std::int64_t count, std::uint32_t floor, const ScreenTerms& terms,
                        std::int32_t* kept) noexcept {
  std::int64_t n = 0;
  const __m256i least = _mm256_set1_epi32(static_cast<int>(floor));
  for (std::int64_t j = 0; j < count; j += 8) {
    const __m256i own = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(sums + j));
    const unsigned enough = not_less(own, least);
    if (enough == 0) continue;
    n = keep(enough & passes(to_float(own), terms, j), j, n, kept);
  }
  return n;
}

std::int64_t screen_f64(const double* sums, std::int64_t count, const ScreenTerms& terms, std::int32_t* kept) noexcept {
  std::int64_t n = 0;
  for (std::int64_t j = 0; j < count; j += 8) {
    const unsigned enough = not_zero(sums + j);
    if (enough == 0) continue;
    n = keep(enough & passes(to_float(sums + j), terms, j), j, n, kept);
  }
  return n;
}

#include "kernels/pairs/steps.inl"

inline __m256i load(const void* counts) noexcept {
  return _mm256_loadu_si256(static_cast<const __m256i*>(counts));
}

std::int64_t screen_steps_u8(const std::uint8_t* counts, const CountStep* steps, std::int64_t count,
                             std::uint64_t* words, std::int32_t* places) noexcept {
  return screen_steps(counts, steps, count, words, places, [](const std::uint8_t* some, std::uint32_t least) {
    const __m256i floor = _mm256_set1_epi8(static_cast<char>(least));
    const auto reach = [floor](__m256i c) {
      return static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_max_epu8(c, floor), c)));
    };
    return std::uint64_t{reach(load(some))} | std::uint64_t{reach(load(some + 32))} << 32;
  });
}

std::int64_t screen_steps_u16(const std::uint16_t* counts, const CountStep* steps, std::int64_t count,
                              std::uint64_t* words, std::int32_t* places) noexcept {
  return screen_steps(counts, steps, count, words, places, [](const std::uint16_t* some, std::uint32_t least) {
    const __m256i floor = _mm256_set1_epi16(static_cast<short>(least));
    const auto reach = [floor](const std::uint16_t* from) {
      const __m256i a = load(from);
      const __m256i b = load(from + 16);
      const __m256i both = _mm256_packs_epi16(_mm256_cmpeq_epi16(_mm256_max_epu16(a, floor), a),
                                              _mm256_cmpeq_epi16(_mm256_max_epu16(b, floor), b));
      constexpr int kInOrder = 0b11011000;  // packing works on halves of vectors
      return static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_permute4x64_epi64(both, kInOrder)));
    };
    return std::uint64_t{reach(some)} | std::uint64_t{reach(some + 32)} << 32;
  });
}

void rough_scores_u16(const std::uint16_t* sums, const std::int32_t* positions, std::int64_t count, const float* x,
                      const RoughTerms& terms, float* scores) noexcept {
  const __m256 base = _mm256_set1_ps(terms.base);
  const __m256 slope = _mm256_set1_ps(terms.slope);
  const __m256 own = _mm256_set1_ps(terms.own);
  std::int64_t n = 0;
  for (; n + 8 <= count; n += 8) {
    const __m256i at = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(positions + n));
    const __m256i pairs = _mm256_i32gather_epi32(reinterpret_cast<const int*>(sums), at, 2);
    const __m256 sum = _mm256_cvtepi32_ps(_mm256_and_si256(pairs, _mm256_set1_epi32(0xFFFF)));
    const __m256 below = _mm256_fmadd_ps(own, sum, _mm256_fmadd_ps(slope, _mm256_i32gather_ps(x, at, 4), base));
    _mm256_storeu_ps(scores + n, _mm256_div_ps(sum, below));
  }
  for (; n < count; ++n) {
    const auto sum = static_cast<float>(sums[positions[n]]);
    scores[n] = sum / (terms.base + terms.slope * x[positions[n]] + terms.own * sum);
  }
}

std::int64_t count_at_least(const float* scores, std::int64_t count, float bound) noexcept {
  std::int64_t n = 0;
  std::int64_t s = 0;
  const __m256 least = _mm256_set1_ps(bound);
  for (; s + 8 <= count; s += 8)
    n += __builtin_popcount(
        static_cast<unsigned>(_mm256_movemask_ps(_mm256_cmp_ps(_mm256_loadu_ps(scores + s), least, _CMP_GE_OQ))));
  for (; s < count; ++s) n += scores[s] >= bound ? 1 : 0;
  return n;
}

std::int64_t keep_at_least(const float* scores, const std::int32_t* positions, std::int64_t count, float bound,
                           std::int32_t* kept) noexcept {
  std::int64_t n = 0;
  for (std::int64_t s = 0; s < count; ++s) {
    kept[n] = positions[s];
    n += scores[s] >= bound ? 1 : 0;
  }
  return n;
}

}  // namespace
}  // namespace avx2

const PairKernels pairs_avx2{"avx2",
                             avx2::count_bits_of<avx2::Bits256>,
                             avx2::screen_u16,
                             avx2::screen_u32,
                             avx2::screen_f64,
                             avx2::screen_steps_u8,
                             avx2::screen_steps_u16,
                             avx2::rough_scores_u16,
                             avx2::count_at_least,
                             avx2::keep_at_least};

}  // namespace recocore::kernels
