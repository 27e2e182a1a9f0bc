// The events of one key in one window, as buckets in the order of time: one a time, or one a tile.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "ops/velocity/bytes.hpp"
#include "ops/velocity/few.hpp"

namespace recocore::velocity {

__extension__ using Sum = __int128;

/// A number as millionths, and itself for min and max.
struct Amount {
  Sum millionths = 0;
  double number = 0;
  bool present = false;
};

/// Missing unless finite and at most 1e12 either way.
[[nodiscard]] Amount amount_of(double number) noexcept;

/// What was summed up; NaN for a mean of nothing.
[[nodiscard]] inline double sum_of(Sum millionths) noexcept {
  constexpr double kMillion = 1e6;
  // Both casts round to the nearest; that of 64 bits is one instruction.
  const auto small = static_cast<std::int64_t>(millionths);
  return (small == millionths ? static_cast<double>(small) : static_cast<double>(millionths)) / kMillion;
}
[[nodiscard]] inline double mean_of(double sum, std::uint64_t valued) noexcept {
  return valued > 0 ? sum / static_cast<double>(valued) : std::numeric_limits<double>::quiet_NaN();
}
/// An event's own number over a mean; NaN where either is missing, or the mean is 0.
[[nodiscard]] inline double ratio_of(const Amount& own, double mean) noexcept {
  return own.present && mean != 0 ? own.number / mean : std::numeric_limits<double>::quiet_NaN();
}

[[nodiscard]] std::int64_t floor_to(std::int64_t time, std::int64_t tile) noexcept;

inline constexpr std::size_t kAllocation = 16;  // what an allocation takes beside its content in glibc

/// Asks for every cache line of some values, to write them.
template <typename T>
void prefetch_all(const T* values, std::size_t number) noexcept {
  constexpr std::ptrdiff_t kLine = 64;
  const auto* const first = reinterpret_cast<const char*>(values);
  const auto* const last = reinterpret_cast<const char*>(values + number);
  for (const char* at = first; at < last; at += kLine) __builtin_prefetch(at, 1);
  // Where the values do not begin with a line, they end in one more.
  if (first < last) __builtin_prefetch(last - 1, 1);
}

struct WindowShape {
  std::int64_t length = 0;
  std::int64_t tile = 0;
  std::size_t exact_events = 0;
  bool exact = false;  // begins with a bucket a time
};

struct Bucket {
  std::int64_t time = 0;  // of the events, or the start of the tile
  std::uint32_t count = 0;
  std::uint32_t valued = 0;
  Sum sum = 0;
  double min = 0;
  double max = 0;

  void merge(const Bucket& other) noexcept;
};

class Window {
 public:
  /// Drops what is out of the window at this time.
  void expire(const WindowShape& shape, std::int64_t clock);

  /// Takes in an event, unless its time is out of the window already. Call expire() before.
  void add(const WindowShape& shape, std::int64_t clock, std::int64_t time, const Amount& amount);

  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  [[nodiscard]] double sum() const noexcept { return sum_of(sum_); }
  [[nodiscard]] double mean() const noexcept { return mean_of(sum(), valued_); }  // NaN without numbers, as min and max
  [[nodiscard]] double min() const noexcept;
  [[nodiscard]] double max() const noexcept;

  /// What it counts for where memory is shared out: depends on its content alone, so that a restored window counts the
  /// same.
  [[nodiscard]] std::size_t bytes() const noexcept;
  void prefetch() const noexcept { buckets_.prefetch(); }

  void write(ByteWriter& out) const;
  /// Into a window that is empty.
  void read(ByteReader& in, const WindowShape& shape);

 private:
  void go_over_to_tiles(const WindowShape& shape);
  [[nodiscard]] std::int64_t start_of(const WindowShape& shape, std::int64_t time) const noexcept;
  [[nodiscard]] bool gone(const WindowShape& shape, std::int64_t clock, std::int64_t start) const noexcept;

  Few<Bucket> buckets_;
  bool tiled_ = false;
  std::uint64_t count_ = 0;
  std::uint64_t valued_ = 0;
  Sum sum_ = 0;
};

/// The different ids of one key in one window, each with the time it was seen last.
class Seen {
 public:
  void expire(std::int64_t length, std::int64_t clock);
  void add(std::int64_t length, std::int64_t clock, std::int64_t time, std::uint64_t id, std::size_t most);

  [[nodiscard]] std::size_t count() const noexcept { return ids_.size(); }
  [[nodiscard]] std::size_t bytes() const noexcept;
  void prefetch() const noexcept { ids_.prefetch(); }

  void write(ByteWriter& out) const;
  /// Into a set that is empty.
  void read(ByteReader& in, std::size_t most);

 private:
  struct Id {
    std::uint64_t id;
    std::int64_t last;
  };
  Few<Id> ids_;              // in the order in which they came
  std::int64_t oldest_ = 0;  // no `last` is before it
};

}  // namespace recocore::velocity
