// What a state asks its log at every call and at every start.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace recocore {

/// The pseudonyms of event ids in a file beside a sealed segment: the high halves in ascending order, and the low ones.
struct EventIdFile {
  std::span<const std::uint64_t> high;
  std::span<const std::uint64_t> low;
};

/// Whether a file holds an id of these halves. Pseudonyms are spread evenly, so the place is guessed and looked for
/// around the guess: O(log sqrt n) on the way, some 0.1 us.
[[nodiscard]] bool holds_event_id(const EventIdFile& file, std::uint64_t high, std::uint64_t low) noexcept;

/// Tells of most ids that no file holds them, with one look into memory however many files there are: a Bloom filter
/// whose bits of an id lie in one word (Putze, Sanders and Singler, "Cache-, hash- and space-efficient Bloom filters",
/// 2007). Of 100 ids that are nowhere it lets one pass while it holds no more than it was made for.
class EventIdFilter {
 public:
  /// For so many ids, at two bytes each.
  explicit EventIdFilter(std::size_t ids);

  void add(const EventIdFile& file) noexcept;

  /// Whether an id may be among those that were added; true of all of them.
  [[nodiscard]] bool may_hold(std::uint64_t high, std::uint64_t low) const noexcept {
    return (bits_of(low) & ~words_[place_of(high)]) == 0;
  }

 private:
  static constexpr unsigned kBits = 5;

  // Ids are keyed hashes, so their halves are random numbers as they are.
  [[nodiscard]] std::size_t place_of(std::uint64_t high) const noexcept {
    return static_cast<std::size_t>((high >> 32U) * words_.size() >> 32U);
  }
  [[nodiscard]] static std::uint64_t bits_of(std::uint64_t low) noexcept {
    std::uint64_t bits = 0;
    for (unsigned i = 0; i < kBits; ++i) bits |= std::uint64_t{1} << (low >> (6 * i) & 63U);
    return bits;
  }

  std::vector<std::uint64_t> words_;
};

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
