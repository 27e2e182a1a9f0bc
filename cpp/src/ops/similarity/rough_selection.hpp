// Choosing by rough scores, which are float32 and off by their rounding: what is chosen is never too little.
#pragma once

#include <cstdint>
#include <span>

namespace recocore {

/// Twice what rounding to float32 can make of a score, several times over.
inline constexpr float kRoughSlack = 4e-6F;
/// Those that count as better than the dropped are held to a bar that is higher by more than both are rounded.
inline constexpr float kAbove = 1.0F + 2e-5F;
/// Sums of scores below this may be too small for float32.
inline constexpr float kVanishing = 1e-18F;

/// A positive score that at least `wanted` of the scores reach, and not many more; 0 where fewer are positive. O(n) for
/// each of some ten halvings.
[[nodiscard]] float score_reached_by(std::int64_t wanted, std::span<const float> scores);

}  // namespace recocore
