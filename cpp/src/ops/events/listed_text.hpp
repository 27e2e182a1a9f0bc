// What a member of a list of texts may be, such as a tag.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "ops/events/utf8.hpp"

namespace recocore::events {

/// Whether a text is UTF-8 of 1 to `most` characters, none of which is a control character of ASCII.
[[nodiscard]] inline bool is_listed_text(std::string_view text, std::int64_t most) noexcept {
  const auto is_control = [](char byte) { return static_cast<unsigned char>(byte) < 0x20; };
  const auto begins = [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U; };
  return !text.empty() && is_utf8(text) && std::ranges::none_of(text, is_control) &&
         std::ranges::count_if(text, begins) <= most;
}

}  // namespace recocore::events
