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
  // Positive float32 numbers are in the order of their bits: their range is halved, and integers have vector minima.
  constexpr auto kLeast = std::bit_cast<std::int32_t>(std::numeric_limits<float>::min());
  std::int32_t best = 0;
  std::int32_t worst = std::numeric_limits<std::int32_t>::max();
  for (const float score : scores) {
    const auto bits = std::bit_cast<std::int32_t>(score);
    best = std::max(best, bits);
    worst = std::min(worst, bits);
  }
  if (best < kLeast) return 0.0F;
  auto low = static_cast<std::uint32_t>(std::max(worst, kLeast));
  auto high = static_cast<std::uint32_t>(best) + 1;
  if (std::ssize(scores) < wanted || (worst < kLeast && reaching(low) < wanted)) return 0.0F;
  constexpr std::uint32_t kClose = 64;  // less than a hundred thousandth apart
  while (high - low > kClose) {
    const std::uint32_t middle = low + (high - low) / 2;
    const std::int64_t found = reaching(middle);
    (found < wanted ? high : low) = middle;
    if (found >= wanted && found <= wanted + wanted / 16) break;
  }
  return std::bit_cast<float>(low);
}

}  // namespace recocore
