// Events as bytes: what is absent, or as in the event before, takes a bit.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "recocore/profile_log.hpp"

namespace recocore::cpu {

/// Appends an event, and makes it the one before.
void pack(const ProfileEvent& event, PackedBefore& before, std::vector<std::uint8_t>& out);

/// Reads what pack() wrote.
class Unpacker {
 public:
  explicit Unpacker(std::span<const std::uint8_t> packed) : left_(packed) {}

  [[nodiscard]] bool done() const noexcept { return left_.empty(); }
  /// \throws Error{corrupt} where the bytes end within an event.
  void next(ProfileEvent& event);
  [[nodiscard]] const PackedBefore& before() const noexcept { return before_; }

 private:
  std::uint8_t byte();
  std::uint64_t number();
  std::int64_t signed_number();
  std::uint64_t hash();

  std::span<const std::uint8_t> left_;
  PackedBefore before_;
};

}  // namespace recocore::cpu
