// What a state asks its log at every call and at every start.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace recocore {

/// The pseudonyms of event ids in a file beside a sealed segment: the high halves in ascending order, and the low ones.
struct EventIdFile {
  std::span<const std::uint64_t> high;
  std::span<const std::uint64_t> low;
};

/// Whether a file holds an id of these halves. Pseudonyms are spread evenly, so the place is guessed and looked for
/// around the guess: O(log sqrt n) on the way, some 0.1 us.
[[nodiscard]] bool holds_event_id(const EventIdFile& file, std::uint64_t high, std::uint64_t low) noexcept;

/// What the rows of a frame say in the clear, without those that are no events.
struct FrameHeads {
  std::int64_t events = 0;
  std::int64_t oldest = 0;
  std::int64_t newest = 0;
  std::string ids;  ///< 16 bytes for each event that has an id
};

/// The heads of `count` rows, see `segment.py` for their layout; none where the bytes are not just so many rows.
[[nodiscard]] std::optional<FrameHeads> frame_heads(std::string_view rows, std::size_t count);

}  // namespace recocore
