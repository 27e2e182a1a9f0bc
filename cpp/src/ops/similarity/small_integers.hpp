#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <optional>
#include <span>

#include "recocore/thread_pool.hpp"

namespace recocore {

/// Values that are few small integers once multiplied by a power of two: ratings and counts, whose sums of products are
/// exact in integers.
struct SmallIntegers {
  int scale = 1;      ///< 1, 2 or 4: value · scale is an integer from 0 to kMost
  int most = 0;       ///< none of them is larger: 2^bits - 1
  bool alike = true;  ///< whether all are the same

  static constexpr int kMost = 15;

  [[nodiscard]] std::uint8_t of(float value) const noexcept {
    return static_cast<std::uint8_t>(value * static_cast<float>(scale));
  }

  /// Nothing where the values, which are finite, are not of that sort.
  [[nodiscard]] static std::optional<SmallIntegers> find(std::span<const float> values, const Execution& execution) {
    constexpr std::int64_t kEachChunk = 65536;
    std::atomic<std::uint32_t> all_bits = 0;
    std::atomic<bool> fine = !values.empty();
    std::atomic<bool> alike = true;
    parallel_for(execution, std::ssize(values), kEachChunk, [&](std::int64_t begin, std::int64_t end, int) {
      if (!fine.load(std::memory_order_relaxed)) return;
      // No branch in the loop, so that the compiler makes it a vector loop.
      std::uint32_t bits = 0;
      std::uint32_t wrong = 0;
      std::uint32_t differ = 0;
      for (const float v : values.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin))) {
        const float quarters = v * static_cast<float>(kScales);
        const auto integer = static_cast<std::int32_t>(std::clamp(quarters, -1.0F, 64.0F));
        wrong |= static_cast<float>(integer) != quarters || integer < 0 || integer > kScales * kMost ? 1U : 0U;
        bits |= static_cast<std::uint32_t>(integer);
        differ |= v != values[0] ? 1U : 0U;
      }
      if (wrong != 0) fine = false;
      if (differ != 0) alike = false;
      all_bits |= bits;
    });
    if (!fine || all_bits == 0) return std::nullopt;
    const int scale = (all_bits & 1U) != 0 ? 4 : (all_bits & 2U) != 0 ? 2 : 1;
    const int most_integer = static_cast<int>(std::bit_floor(all_bits.load())) * scale / kScales * 2 - 1;
    if (most_integer > kMost) return std::nullopt;
    return SmallIntegers{scale, most_integer, alike};
  }

 private:
  static constexpr int kScales = 4;
};

}  // namespace recocore
