// Kernels over the sums of one row with a block of partner rows: counting set bits column by column, and finding the
// few sums that can still matter. One function table for each instruction set, chosen once for the process.
//
// Every function trusts its arguments, allocates nothing and starts no thread. Counts are exact; screens are safe by a
// margin that the caller leaves, so that two tables never lead to different results.
#pragma once

#include <cstddef>
#include <cstdint>

namespace recocore::kernels {

/// Bits for `partners` partners take a multiple of this many 64-bit words, so that every table may load whole vectors.
inline constexpr std::int64_t kBitWords = 8;
/// Vectors of sums and factors are padded to a multiple of this.
inline constexpr std::int64_t kPairPadding = 64;
/// Levels of a bit-sliced counter: rows have fewer than 2^31 entries.
inline constexpr std::int64_t kCounterLevels = 32;

/// Bit vectors side by side: each column (a user, say) has `planes` of them, of which the first words are counted.
struct BitColumns {
  const std::uint64_t* bits;
  std::int64_t stride;        ///< words from one column to the next
  std::int64_t planes;        ///< plane p counts 2^p
  std::int64_t plane_stride;  ///< words from one plane to the next
  std::int64_t words;         ///< of each plane to count; a multiple of kBitWords
};

/// A row's view of a block of partners. A sum is kept if it is at least alpha * x[j] + beta, which is what the row
/// itself asks for, or at least y[j] * g + z[j], which is what partner j asks for; and at least `floor`.
struct ScreenTerms {
  const float* x;
  const float* y;
  const float* z;
  float alpha;
  float beta;
  float g;
};

/// Of the partners [begin, end), multiples of kPairPadding, those that are counted `least` times or more, at least 1.
struct CountStep {
  std::int64_t begin;
  std::int64_t end;
  std::uint32_t least;
};

/// The denominator of a rough score.
struct RoughTerms {
  float base;
  float slope;
  float own;
};

struct PairKernels {
  /// The instruction set that the table's own file was compiled for.
  const char* isa;

  /// sums[j] += sum over p of 2^(p + shift) * (how many of the listed columns have bit j of plane p). Counts
  /// carry-save: eight columns go through seven full adders on whole vectors. `scratch` has 2 * kCounterLevels * planes
  /// * words words, aligned to 64 bytes like the bits; sums has 64 * words elements.
  void (*count_bits)(const BitColumns& columns, const std::int32_t* slots, std::int64_t count, int shift,
                     std::uint64_t* scratch, std::uint32_t* sums) noexcept;

  /// Writes the positions of the sums to keep, rising, and returns their number. `count` is a multiple of kPairPadding.
  std::int64_t (*screen_u16)(const std::uint16_t* sums, std::int64_t count, std::uint32_t floor,
                             const ScreenTerms& terms, std::int32_t* kept) noexcept;
  std::int64_t (*screen_u32)(const std::uint32_t* sums, std::int64_t count, std::uint32_t floor,
                             const ScreenTerms& terms, std::int32_t* kept) noexcept;
  /// The same for float64 sums; the floor is "not zero".
  std::int64_t (*screen_f64)(const double* sums, std::int64_t count, const ScreenTerms& terms,
                             std::int32_t* kept) noexcept;

  /// Partners that reach their step, 64 a word: writes the words that have any, with the places that they have among
  /// all words, and returns their number. A word is written before it is known to have any, so there is room for one
  /// more.
  std::int64_t (*screen_steps_u8)(const std::uint8_t* counts, const CountStep* steps, std::int64_t count,
                                  std::uint64_t* words, std::int32_t* places) noexcept;
  std::int64_t (*screen_steps_u16)(const std::uint16_t* counts, const CountStep* steps, std::int64_t count,
                                   std::uint64_t* words, std::int32_t* places) noexcept;

  /// scores[n] = sums[positions[n]] / (base + slope * x[positions[n]] + own * sum): float32, so a rough order. One
  /// element after the last sum may be read.
  void (*rough_scores_u16)(const std::uint16_t* sums, const std::int32_t* positions, std::int64_t count, const float* x,
                           const RoughTerms& terms, float* scores) noexcept;
  /// How many scores are at least `bound`.
  std::int64_t (*count_at_least)(const float* scores, std::int64_t count, float bound) noexcept;
  /// Writes the positions whose scores are at least `bound` and returns their number. `kept` may be `positions`.
  std::int64_t (*keep_at_least)(const float* scores, const std::int32_t* positions, std::int64_t count, float bound,
                                std::int32_t* kept) noexcept;
};

extern const PairKernels pairs_scalar;
#if defined(__x86_64__)
extern const PairKernels pairs_avx2;
extern const PairKernels pairs_avx512;
#endif

/// The table of active_isa().
[[nodiscard]] const PairKernels& pairs();

}  // namespace recocore::kernels
