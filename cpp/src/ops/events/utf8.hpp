// Whether bytes are UTF-8, as strictly as Python and protobuf: no surrogates, nothing overlong, nothing beyond
// U+10FFFF.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace recocore::events {

[[nodiscard]] inline bool is_utf8(std::string_view text) noexcept {
  const auto* at = reinterpret_cast<const unsigned char*>(text.data());
  const auto* const end = at + text.size();
  const auto follows = [end](const unsigned char* byte) { return byte < end && (*byte & 0xC0U) == 0x80U; };
  while (at < end) {
    if (end - at >= 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, at, 8);
      if ((word & 0x8080808080808080U) == 0) {
        at += 8;
        continue;
      }
    }
    const unsigned first = *at;
    if (first < 0x80) {
      ++at;
    } else if (first >= 0xC2 && first <= 0xDF) {
      if (!follows(at + 1)) return false;
      at += 2;
    } else if (first >= 0xE0 && first <= 0xEF) {
      if (!follows(at + 1) || !follows(at + 2)) return false;
      if ((first == 0xE0 && at[1] < 0xA0) || (first == 0xED && at[1] >= 0xA0)) return false;
      at += 3;
    } else if (first >= 0xF0 && first <= 0xF4) {
      if (!follows(at + 1) || !follows(at + 2) || !follows(at + 3)) return false;
      if ((first == 0xF0 && at[1] < 0x90) || (first == 0xF4 && at[1] >= 0x90)) return false;
      at += 4;
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace recocore::events
