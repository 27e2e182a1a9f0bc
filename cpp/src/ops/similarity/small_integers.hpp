#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <span>

namespace recocore {

/// Values that are few small integers once multiplied by a power of two: ratings and counts, whose sums of products are
/// exact in integers.
struct SmallIntegers {
  int scale = 1;        ///< 1, 2 or 4: value · scale is an integer from 0 to kMost
  int most = 0;         ///< the largest of them
  bool alike = true;    ///< whether all are the same

  static constexpr int kMost = 15;

  [[nodiscard]] std::uint8_t of(float value) const noexcept {
    return static_cast<std::uint8_t>(value * static_cast<float>(scale));
  }

  /// Nothing where the values are not of that sort.
  [[nodiscard]] static std::optional<SmallIntegers> find(std::span<const float> values) noexcept {
    for (const int scale : {1, 2, 4}) {
      const auto factor = static_cast<float>(scale);
      SmallIntegers found{scale, 0, true};
      bool all = true;
      for (std::size_t e = 0; e < values.size() && all; ++e) {
        const float scaled = values[e] * factor;
        all = scaled >= 0.0F && scaled <= static_cast<float>(kMost) && scaled == std::trunc(scaled);
        if (!all) break;
        const int integer = static_cast<int>(scaled);
        found.most = std::max(found.most, integer);
        found.alike = found.alike && values[e] == values[0];
      }
      if (all && found.most > 0) return found;
    }
    return std::nullopt;
  }
};

}  // namespace recocore
