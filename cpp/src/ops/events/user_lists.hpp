// What a user's record lists, by time: items bought and recent events. They stay as the record holds them, so that an
// event that is the newest, as most are, is put behind what is there.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace recocore::events {

/// Texts with a zero between them.
class Texts {
 public:
  static constexpr char kBetween = '\0';
  // Room for what mostly comes: an item or a type.
  static constexpr std::size_t kMore = 32;

  Texts() = default;
  explicit Texts(std::string_view joined) {
    joined_.reserve(joined.size() + kMore);
    joined_ = joined;
    if (!joined.empty()) size_ = 1 + static_cast<std::size_t>(std::ranges::count(joined, kBetween));
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::string_view joined() const noexcept { return joined_; }

  /// Where a text stands, size() where it does not.
  [[nodiscard]] std::size_t find(std::string_view text) const {
    std::size_t at = 0;
    for (std::size_t begin = 0; at < size_; ++at) {
      const std::size_t end = end_from(begin);
      if (std::string_view(joined_).substr(begin, end - begin) == text) break;
      begin = end + 1;
    }
    return at;
  }

  void insert(std::size_t at, std::string_view text) {
    if (at == size_) {
      if (size_ != 0) joined_.push_back(kBetween);
      joined_ += text;
    } else {
      const std::size_t begin = begin_of(at);
      joined_.insert(begin, 1, kBetween);
      joined_.insert(begin, text);
    }
    ++size_;
  }

  void erase(std::size_t at) {
    const std::size_t begin = begin_of(at);
    const std::size_t end = end_from(begin);
    const std::size_t before = end == joined_.size() && begin != 0 ? 1 : 0;  // the last takes the zero before it along
    joined_.erase(begin - before, end - begin + 1);
    --size_;
  }

 private:
  [[nodiscard]] std::size_t end_from(std::size_t begin) const {
    return std::min(joined_.find(kBetween, begin), joined_.size());
  }
  [[nodiscard]] std::size_t begin_of(std::size_t at) const {
    std::size_t begin = 0;
    for (; at != 0; --at) begin = end_from(begin) + 1;
    return begin;
  }

  std::string joined_;
  std::size_t size_ = 0;
};

/// Numbers of eight bytes each.
template <typename Number>
class Numbers {
  static_assert(sizeof(Number) == 8);

 public:
  Numbers() = default;
  explicit Numbers(std::string_view bytes) {
    bytes_.reserve(bytes.size() + sizeof(Number));  // one more mostly comes
    bytes_ = bytes;
  }

  [[nodiscard]] std::size_t size() const noexcept { return bytes_.size() / 8; }
  [[nodiscard]] std::string_view bytes() const noexcept { return bytes_; }
  [[nodiscard]] Number operator[](std::size_t at) const {
    Number number;
    std::memcpy(&number, bytes_.data() + 8 * at, 8);
    return number;
  }
  void insert(std::size_t at, Number number) {
    std::array<char, 8> bytes;
    std::memcpy(bytes.data(), &number, 8);
    bytes_.insert(8 * at, bytes.data(), 8);
  }
  void erase(std::size_t at) { bytes_.erase(8 * at, 8); }

 private:
  std::string bytes_;
};

using Times = Numbers<std::int64_t>;

/// Behind all that are as old or older.
inline std::size_t place_of(const Times& times, std::int64_t time) {
  std::size_t at = times.size();
  while (at != 0 && times[at - 1] > time) --at;
  return at;
}

struct Seen {
  Texts items;
  Times times;

  void erase(std::size_t at) {
    items.erase(at);
    times.erase(at);
  }
  /// Puts an item in its place, and drops the oldest beyond `most`.
  void put(std::string_view item, std::int64_t time, std::size_t most) {
    const std::size_t at = place_of(times, time);
    items.insert(at, item);
    times.insert(at, time);
    while (times.size() > most) erase(0);
  }
};

struct Recent {
  Texts items;
  Texts types;
  Times times;
  Numbers<double> weights;

  /// Puts an event in its place, and drops the oldest beyond `most`.
  void put(std::string_view item, std::string_view type, std::int64_t time, double weight, std::size_t most) {
    const std::size_t at = place_of(times, time);
    items.insert(at, item);
    types.insert(at, type);
    times.insert(at, time);
    weights.insert(at, weight);
    while (times.size() > most) {
      items.erase(0);
      types.erase(0);
      times.erase(0);
      weights.erase(0);
    }
  }
};

}  // namespace recocore::events
