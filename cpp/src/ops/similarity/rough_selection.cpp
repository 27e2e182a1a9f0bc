#include "ops/similarity/rough_selection.hpp"

#include <algorithm>
#include <bit>
#include <limits>

#include "kernels/pairs/kernel.hpp"

namespace recocore {

float score_reached_by(std::int64_t wanted, std::span<const float> scores) {
  const kernels::PairKernels& kernel = kernels::pairs();
  const auto reaching = [&](std::uint32_t bits) {
    return kernel.count_at_least(scores.data(), std::ssize(scores), std::bit_cast<float>(bits));
  };
  // Positive float32 numbers are in the order of their bits: their range is halved. Most often what is wanted is not
  // below a 256th of the best.
  constexpr std::uint32_t kLikely = 8U << 23U;
  constexpr auto kLeast = std::bit_cast<std::uint32_t>(std::numeric_limits<float>::min());
  float best = 0.0F;
  for (const float score : scores) best = score > best ? score : best;
  std::uint32_t high = std::bit_cast<std::uint32_t>(best) + 1;
  if (high <= kLeast) return 0.0F;
  std::uint32_t low = high - kLeast > kLikely ? high - kLikely : kLeast;
  if (reaching(low) < wanted) {
    high = low;
    low = kLeast;
    if (reaching(low) < wanted) return 0.0F;
  }
  while (high - low > 1) {
    const std::uint32_t middle = low + (high - low) / 2;
    const std::int64_t found = reaching(middle);
    (found < wanted ? high : low) = middle;
    if (found >= wanted && found <= wanted + wanted / 16) break;
  }
  return std::bit_cast<float>(low);
}

}  // namespace recocore
