// The reference for the other files of this folder: words and plain loops, compiled with the build's baseline flags.
#include "kernels/pairs/kernel.hpp"

namespace recocore::kernels {
namespace scalar {
namespace {

struct Bits64 {
  static constexpr std::int64_t kWords = 1;
  std::uint64_t v;

  static Bits64 zero() noexcept { return {0}; }
  static Bits64 load(const std::uint64_t* words) noexcept { return {*words}; }
  void store(std::uint64_t* words) const noexcept { *words = v; }

  static void expand(const std::uint64_t* const* planes, const std::uint32_t* worth, int terms,
                     std::uint32_t* sums) noexcept {
    for (int t = 0; t < terms; ++t)
      for (int bit = 0; bit < 64; ++bit) sums[bit] += (*planes[t] >> bit & 1) != 0 ? worth[t] : 0;
  }
};

inline void add(Bits64 a, Bits64 b, Bits64 c, Bits64& high, Bits64& low) noexcept {
  const std::uint64_t differ = a.v ^ b.v;
  high.v = (a.v & b.v) | (differ & c.v);
  low.v = differ ^ c.v;
}

#include "kernels/pairs/count_bits.inl"
#include "kernels/pairs/screens.inl"
#include "kernels/pairs/steps.inl"

template <typename Count>
std::int64_t screen_steps_of(const Count* counts, const CountStep* steps, std::int64_t count, std::uint64_t* words,
                             std::int32_t* places) noexcept {
  return screen_steps(counts, steps, count, words, places, [](const Count* some, std::uint32_t least) {
    std::uint64_t word = 0;
    for (int bit = 0; bit < 64; ++bit) word |= std::uint64_t{some[bit] >= least} << bit;
    return word;
  });
}

}  // namespace
}  // namespace scalar

const PairKernels pairs_scalar{"scalar",
                               scalar::count_bits_of<scalar::Bits64>,
                               scalar::screen_counts<std::uint16_t>,
                               scalar::screen_counts<std::uint32_t>,
                               scalar::screen_f64,
                               scalar::screen_steps_of<std::uint8_t>,
                               scalar::screen_steps_of<std::uint16_t>,
                               scalar::rough_scores_u16,
                               scalar::count_at_least,
                               scalar::keep_at_least};

}  // namespace recocore::kernels
