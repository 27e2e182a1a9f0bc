// Local time, fast for times that come in order.
#pragma once

#include <algorithm>
#include <cstdint>

#include "recocore/profiles.hpp"

namespace recocore::cpu {

inline constexpr std::int64_t kHour = 3'600'000'000;
inline constexpr std::int64_t kDay = 24 * kHour;

inline std::int64_t floor_divide(std::int64_t a, std::int64_t b) noexcept {
  const std::int64_t quotient = a / b;
  return quotient - static_cast<std::int64_t>(a % b != 0 && (a < 0) != (b < 0));
}

class ZoneClock {
 public:
  void set(const ProfileZone& zone) {
    if (zone_ == &zone) return;
    zone_ = &zone;
    at_ = 0;
  }

  /// The local time of a UTC time, in microseconds since 1970-01-01 0:00 local.
  std::int64_t local(std::int64_t time) {
    const auto& starts = zone_->starts;
    if (time < starts[at_] || (at_ + 1 < starts.size() && time >= starts[at_ + 1]))
      at_ = static_cast<std::size_t>(std::upper_bound(starts.begin() + 1, starts.end(), time) - starts.begin() - 1);
    return time + zone_->offsets[at_];
  }

 private:
  const ProfileZone* zone_ = nullptr;
  std::size_t at_ = 0;
};

}  // namespace recocore::cpu
