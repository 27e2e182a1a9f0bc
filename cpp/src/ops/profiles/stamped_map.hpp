// A map that is emptied for the next user in constant time.
#pragma once

// Packed bits, shifts and masks of small non-negative numbers: their operands are signed throughout.
// NOLINTBEGIN(bugprone-signed-bitwise)

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace recocore::cpu {

/// From 64-bit keys to whole numbers, for at most as many keys as the last reset said.
class StampedMap {
 public:
  void reset(std::size_t most) {
    const std::size_t wanted = std::bit_ceil(std::max<std::size_t>(16, 2 * most));
    if (wanted > slots_.size()) {
      slots_.assign(wanted, {});
      stamp_ = 0;
    }
    mask_ = wanted - 1;  // few keys stay together, whatever room an earlier user took
    if (++stamp_ == 0) {
      std::fill(slots_.begin(), slots_.end(), Slot{});
      stamp_ = 1;
    }
  }

  struct Found {
    std::int64_t* value;
    bool added;
  };

  /// The key's value, which is `value` where the key is new.
  Found add(std::uint64_t key, std::int64_t value) {
    for (std::size_t at = (key * 0x9E3779B97F4A7C15) >> 32;; ++at) {
      Slot& slot = slots_[at & mask_];
      if (slot.stamp != stamp_) {
        slot = {key, value, stamp_};
        return {&slot.value, true};
      }
      if (slot.key == key) return {&slot.value, false};
    }
  }

 private:
  struct Slot {
    std::uint64_t key = 0;
    std::int64_t value = 0;
    std::uint32_t stamp = 0;
  };

  std::vector<Slot> slots_;
  std::size_t mask_ = 0;
  std::uint32_t stamp_ = 0;
};

}  // namespace recocore::cpu
// NOLINTEND(bugprone-signed-bitwise)
