// What the counters of one entity share: groups of events in one window, and what of an event they read.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <compare>
#include <cstdint>
#include <limits>
#include <vector>

#include "ops/velocity/window.hpp"
#include "recocore/velocity.hpp"

namespace recocore::velocity {

[[nodiscard]] inline bool counts_type(const std::vector<std::uint64_t>& types, std::uint64_t type) noexcept {
  return types.empty() || std::ranges::find(types, type) != types.end();
}

/// The events of some types in one window, with one column's numbers or ids.
struct Group {
  bool distinct = false;
  std::int64_t length = 0;
  std::vector<std::uint64_t> types;
  int column = -1;         // -1 as long as nobody but count reads it
  std::size_t place = 0;   // among the windows, or the sets of ids, of a key
  std::size_t family = 0;  // those that differ by their window alone
  WindowShape shape;
};

/// How far back a window looks; groups of any kind share it.
struct Span {
  std::int64_t length = 0;
  std::int64_t tile = 0;  // 0: to the microsecond

  auto operator<=>(const Span&) const = default;
  /// It holds an event whose time is at least this.
  [[nodiscard]] std::int64_t bound(std::int64_t clock) const noexcept {
    return tile == 0 ? clock - length + 1 : tile_bound(clock);
  }

 private:
  [[nodiscard]] std::int64_t tile_bound(std::int64_t clock) const noexcept;
};

/// A group of a family, and the readings of it: [first, last) of the plan's.
struct Part {
  std::size_t group = 0;
  std::size_t span = 0;
  std::size_t first = 0;
  std::size_t last = 0;
  bool sums = false;  // whether a reading is of the numbers' sum
};

/// What the groups that differ by their window alone read of a record; places are words of it, 0 for none.
struct Family {
  static constexpr std::size_t kAll = SIZE_MAX;
  enum class Kind { events, numbers, extremes, ids };  // what is looked at; events for their number alone
  Kind kind = Kind::events;
  std::vector<std::uint64_t> types;  // empty: all events
  int column = -1;
  std::size_t number = 0;
  std::size_t id = 0;
  std::size_t mask = kAll;  // among those of a key: which of its events count; of ids, the last event of each
  std::vector<Part> parts;  // the shortest window first

  [[nodiscard]] bool counts(const std::uint64_t* record) const noexcept {
    return types.empty() || counts_type(types, record[1]);
  }
};

/// An event that is taken in.
struct Taken {
  std::int64_t time;
  std::uint64_t type;
  const std::uint64_t* ids;  ///< by id column
  const Amount* amounts;     ///< by number column
  double* features;          ///< by counter, to be written
};

struct Reading {
  VelocityStatistic statistic = VelocityStatistic::count;
  std::size_t group = 0;
  std::size_t feature = 0;
  double of_nothing = 0;  // where the window is empty
};

class Plan {
 public:
  /// The counters of `table` in checked parameters.
  Plan(const VelocityParams& params, int table);

  /// A key has at most so many events one by one; then each window has its own buckets.
  static constexpr std::size_t kMost = 32;
  /// The smallest block of memory has room for so many; larger ones for 4, 8, ..
  static constexpr std::size_t kLeast = 2;
  /// That one list of events is read for.
  static constexpr std::size_t kMostGroups = 64;

  std::vector<Group> groups;
  std::vector<Family> families;
  std::vector<Span> spans;  // the shortest first
  std::vector<Reading> readings;
  std::size_t windows = 0;   // of a key
  std::size_t seen = 0;      // likewise
  std::size_t most = 0;      // events one by one: few enough for windows of any shape, and for sets of ids, to be whole
  std::size_t words = 1;     // of a record: time, type where a group asks for it, numbers with their millionths, ids
  std::int64_t reach = 0;    // an event so much older than the clock is in no window
  bool typed = false;        // whether a record's second word is the event's type
  std::size_t masks = 0;     // words before a key's records, a bit an event
  std::vector<int> numbers;  // columns in a record
  std::vector<int> ids;      // likewise
  std::array<std::size_t, kMost + 1> bytes{};  // of a key with so many events one by one: those of their block

  /// No window holds an event before this time.
  [[nodiscard]] std::int64_t horizon(std::int64_t clock) const noexcept {
    constexpr std::int64_t kEarliest = std::numeric_limits<std::int64_t>::min();
    return clock < kEarliest + reach ? kEarliest : clock - reach + 1;
  }
  /// Writes an event as a record, where it is to stay: what is copied at once, in units other than those that it was
  /// written in, waits for all stores before it.
  void write(std::uint64_t* record, const Taken& event) const noexcept;
  /// Brings a key's masks up to date with the record at `at`, the last in the order of time.
  void mark(std::uint64_t* masks_of_key, const std::uint64_t* records, std::size_t at) const noexcept;
  [[nodiscard]] bool counts(const Group& group, const std::uint64_t* record) const noexcept {
    return families[group.family].counts(record);
  }
  [[nodiscard]] Amount amount(const Group& group, const std::uint64_t* record) const noexcept;
  [[nodiscard]] std::uint64_t id(const Group& group, const std::uint64_t* record) const noexcept;
  /// Whether a record may have been written by write().
  [[nodiscard]] bool is_sound(const std::uint64_t* record) const noexcept;

 private:
  std::size_t group_for(const VelocityParams& params, const VelocityCounter& counter);
  void lay_out();
};

inline void Plan::write(std::uint64_t* record, const Taken& event) const noexcept {
  *record++ = static_cast<std::uint64_t>(event.time);
  if (typed) *record++ = event.type;
  for (const int column : numbers) {
    const Amount& amount = event.amounts[column];
    *record++ = std::bit_cast<std::uint64_t>(amount.present ? amount.number : std::numeric_limits<double>::quiet_NaN());
    *record++ = static_cast<std::uint64_t>(static_cast<std::int64_t>(amount.millionths));
  }
  for (const int column : ids) *record++ = event.ids[column];
}

inline void Plan::mark(std::uint64_t* masks_of_key, const std::uint64_t* records, std::size_t at) const noexcept {
  const std::uint64_t* const own = records + at * words;
  for (const Family& family : families) {
    if (family.mask == Family::kAll || !family.counts(own)) continue;
    std::uint64_t mask = masks_of_key[family.mask];
    if (family.kind == Family::Kind::ids) {
      const std::uint64_t id = own[family.id];
      if (id == 0) continue;
      const std::uint64_t* earlier = records + family.id;
      for (std::size_t i = 0; i < at; ++i, earlier += words) mask &= ~(static_cast<std::uint64_t>(*earlier == id) << i);
    }
    masks_of_key[family.mask] = mask | std::uint64_t{1} << at;
  }
}

}  // namespace recocore::velocity
