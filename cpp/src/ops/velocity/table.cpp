#include "ops/velocity/table.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace recocore::velocity {
namespace {

constexpr std::uint32_t kNone = UINT32_MAX;
constexpr std::uint32_t kChunk = 256;    // keys whose storage is allocated at once
constexpr std::size_t kPlaces = 3;       // of the index a key, on average: it is a quarter to half full
constexpr std::size_t kFirstIndex = 64;  // places

bool counts(const std::vector<std::uint64_t>& types, std::uint64_t type) noexcept {
  return types.empty() || std::ranges::find(types, type) != types.end();
}

/// Asks for every cache line of some values.
template <typename T>
void prefetch_all(const T* values, std::size_t number) noexcept {
  constexpr std::size_t kLine = 64;
  const char* const first = reinterpret_cast<const char*>(values);
  for (std::size_t at = 0; at < number * sizeof(T); at += kLine) __builtin_prefetch(first + at);
}

}  // namespace

Table::Table(const VelocityParams& params, int table, const HashKey& key)
    : id_columns_(params.tables[static_cast<std::size_t>(table)]),
      hash_key_(key),
      including_(params.including),
      max_distinct_(static_cast<std::size_t>(params.max_distinct)),
      share_(params.memory_bytes / static_cast<std::int64_t>(params.tables.size())),
      index_(kFirstIndex),
      oldest_(kNone),
      newest_(kNone) {
  // Counts come last: they can read the window of any number.
  for (const bool count_only : {false, true})
    for (std::size_t feature = 0; feature < params.counters.size(); ++feature) {
      const VelocityCounter& counter = params.counters[feature];
      if (counter.table == table && (counter.statistic == VelocityStatistic::count) == count_only)
        readings_.push_back({counter.statistic, group_for(params, counter), feature});
    }
  bytes_per_key_ = static_cast<std::int64_t>(sizeof(Head) + windows_per_key_ * sizeof(Window) +
                                             seen_per_key_ * sizeof(Seen) + kPlaces * sizeof(Place));
}

std::size_t Table::group_for(const VelocityParams& params, const VelocityCounter& counter) {
  const bool distinct = counter.statistic == VelocityStatistic::distinct;
  const bool any_column = counter.statistic == VelocityStatistic::count;
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    const Group& group = groups_[g];
    if (group.distinct == distinct && group.length == counter.window && group.types == counter.types &&
        (any_column || group.column == counter.column))
      return g;
  }
  Group group;
  group.distinct = distinct;
  group.length = counter.window;
  group.types = counter.types;
  group.column = any_column ? -1 : counter.column;
  group.place = distinct ? seen_per_key_++ : windows_per_key_++;
  group.shape = {counter.window, (counter.window + params.tiles - 1) / params.tiles,
                 static_cast<std::size_t>(params.exact_events), counter.window <= params.exact_window};
  groups_.push_back(group);
  return groups_.size() - 1;
}

void Table::read_keys(const VelocityEvents& events, std::int64_t begin, std::int64_t end) {
  next_ = static_cast<std::size_t>(end - begin);
  for (std::size_t i = 0; i < next_; ++i) {
    next_keys_[i] = key_of(events.ids.row(begin + static_cast<std::int64_t>(i)));
    __builtin_prefetch(&index_[next_keys_[i] & (index_.size() - 1)]);
  }
}

void Table::look_up() noexcept {
  for (std::size_t i = 0; i < next_; ++i) {
    const std::uint32_t slot = next_slots_[i] = find(next_keys_[i]);
    if (slot == kNone) continue;
    __builtin_prefetch(&head(slot));
    prefetch_all(windows(slot), windows_per_key_);
    prefetch_all(seen(slot), seen_per_key_);
  }
}

void Table::prefetch() const noexcept {
  for (std::size_t i = 0; i < next_; ++i) {
    const std::uint32_t slot = next_slots_[i];
    if (slot == kNone) continue;
    for (const std::uint32_t beside : {head(slot).older, head(slot).newer})
      if (beside != kNone) __builtin_prefetch(&head(beside));
    for (std::size_t w = 0; w < windows_per_key_; ++w) windows(slot)[w].prefetch();
    for (std::size_t s = 0; s < seen_per_key_; ++s) seen(slot)[s].prefetch();
  }
}

void Table::take_in(const VelocityEvents& events, std::int64_t begin, MatrixView<const Amount> amounts,
                    MatrixView<double> features) {
  for (std::size_t i = 0; i < next_; ++i) {
    const auto row = static_cast<std::int64_t>(i);
    take_in(next_keys_[i], events, begin + row, amounts.row(row), features.row(begin + row));
  }
}

std::uint64_t Table::key_of(std::span<const std::uint64_t> ids) const noexcept {
  if (id_columns_.size() == 1) return ids[static_cast<std::size_t>(id_columns_[0])];
  std::array<std::uint64_t, 4> parts{};
  for (std::size_t i = 0; i < id_columns_.size(); ++i) {
    parts[i] = ids[static_cast<std::size_t>(id_columns_[i])];
    if (parts[i] == 0) return 0;
  }
  return keyed_hash({reinterpret_cast<const char*>(parts.data()), id_columns_.size() * sizeof(std::uint64_t)},
                    hash_key_);
}

void Table::take_in(std::uint64_t key, const VelocityEvents& events, std::int64_t row, std::span<const Amount> amounts,
                    std::span<double> features) {
  if (key == 0) {
    for (const Reading& reading : readings_) features[reading.feature] = std::numeric_limits<double>::quiet_NaN();
    return;
  }
  const std::int64_t time = events.times[static_cast<std::size_t>(row)];
  const std::uint64_t type = events.types[static_cast<std::size_t>(row)];
  const std::span<const std::uint64_t> ids = events.ids.row(row);

  std::uint32_t slot = find(key);
  if (slot == kNone) {
    slot = add_key(key);
    head(slot).clock = time;
  } else {
    unlink(slot);
  }
  link_as_newest(slot);
  const std::int64_t clock = head(slot).clock = std::max(head(slot).clock, time);

  Window* const own_windows = windows(slot);
  Seen* const own_seen = seen(slot);
  bytes_ -= bytes_of(slot);
  for (const Group& group : groups_) {
    if (group.distinct)
      own_seen[group.place].expire(group.length, clock);
    else
      own_windows[group.place].expire(group.shape, clock);
  }
  if (!including_) read_counters(slot, amounts, features);
  for (const Group& group : groups_) {
    if (!counts(group.types, type)) continue;
    if (group.distinct)
      own_seen[group.place].add(group.length, clock, time, ids[static_cast<std::size_t>(group.column)], max_distinct_);
    else
      own_windows[group.place].add(group.shape, clock, time,
                                   group.column < 0 ? Amount{} : amounts[static_cast<std::size_t>(group.column)]);
  }
  bytes_ += bytes_of(slot);
  if (including_) read_counters(slot, amounts, features);
  while (bytes_ > share_ && keys_ > 1) {
    forget(oldest_);
    ++evicted_;
  }
}

void Table::read_counters(std::uint32_t slot, std::span<const Amount> amounts, std::span<double> features) const {
  for (const Reading& reading : readings_) {
    const Group& group = groups_[reading.group];
    double& feature = features[reading.feature];
    if (group.distinct) {
      feature = static_cast<double>(seen(slot)[group.place].count());
      continue;
    }
    const Window& window = windows(slot)[group.place];
    switch (reading.statistic) {
      case VelocityStatistic::count: feature = static_cast<double>(window.count()); break;
      case VelocityStatistic::sum: feature = window.sum(); break;
      case VelocityStatistic::mean: feature = window.mean(); break;
      case VelocityStatistic::min: feature = window.min(); break;
      case VelocityStatistic::max: feature = window.max(); break;
      case VelocityStatistic::ratio: {
        const Amount& own = amounts[static_cast<std::size_t>(group.column)];
        const double mean = window.mean();
        feature = own.present && mean != 0 ? own.number / mean : std::numeric_limits<double>::quiet_NaN();
        break;
      }
      case VelocityStatistic::distinct: break;
    }
  }
}

std::uint32_t Table::find(std::uint64_t key) const noexcept {
  if (key == 0) return kNone;
  const std::size_t mask = index_.size() - 1;
  for (std::size_t at = key & mask;; at = (at + 1) & mask) {
    if (index_[at].key == key) return index_[at].slot;
    if (index_[at].key == 0) return kNone;
  }
}

std::uint32_t Table::add_key(std::uint64_t key) {
  if ((keys_ + 1) * 2 > index_.size()) grow_index();
  std::uint32_t slot = 0;
  if (!free_.empty()) {
    slot = free_.back();
    free_.pop_back();
  } else {
    if (used_slots_ % kChunk == 0) {
      chunks_.push_back({std::vector<Head>(kChunk), std::vector<Window>(kChunk * windows_per_key_),
                         std::vector<Seen>(kChunk * seen_per_key_)});
    }
    slot = used_slots_++;
  }
  put(key, slot);
  ++keys_;
  bytes_ += bytes_per_key_;
  head(slot).key = key;
  return slot;
}

void Table::put(std::uint64_t key, std::uint32_t slot) noexcept {
  const std::size_t mask = index_.size() - 1;
  std::size_t at = key & mask;
  while (index_[at].key != 0) at = (at + 1) & mask;
  index_[at] = {key, slot};
}

void Table::grow_index() {
  std::vector<Place> old(index_.size() * 2);
  old.swap(index_);
  for (const Place& place : old)
    if (place.key != 0) put(place.key, place.slot);
}

void Table::forget(std::uint32_t slot) {
  const std::size_t mask = index_.size() - 1;
  std::size_t hole = head(slot).key & mask;
  while (index_[hole].slot != slot || index_[hole].key == 0) hole = (hole + 1) & mask;
  // Those behind the hole move up as far as the place that their key asks for allows.
  for (std::size_t at = (hole + 1) & mask; index_[at].key != 0; at = (at + 1) & mask) {
    const std::size_t wanted = index_[at].key & mask;
    if (((at - wanted) & mask) >= ((at - hole) & mask)) {
      index_[hole] = index_[at];
      hole = at;
    }
  }
  index_[hole] = {};
  bytes_ -= bytes_of(slot);
  for (std::size_t w = 0; w < windows_per_key_; ++w) windows(slot)[w].clear();
  for (std::size_t s = 0; s < seen_per_key_; ++s) seen(slot)[s].clear();
  unlink(slot);
  free_.push_back(slot);
  --keys_;
  bytes_ -= bytes_per_key_;
}

void Table::unlink(std::uint32_t slot) noexcept {
  const Head& own = head(slot);
  (own.older == kNone ? oldest_ : head(own.older).newer) = own.newer;
  (own.newer == kNone ? newest_ : head(own.newer).older) = own.older;
}

void Table::link_as_newest(std::uint32_t slot) noexcept {
  head(slot).older = newest_;
  head(slot).newer = kNone;
  (newest_ == kNone ? oldest_ : head(newest_).newer) = slot;
  newest_ = slot;
}

void Table::write(ByteWriter& out) const {
  out.put(evicted_);
  out.put(static_cast<std::uint64_t>(keys_));
  for (std::uint32_t slot = oldest_; slot != kNone; slot = head(slot).newer) {
    out.put(head(slot).key);
    out.put(head(slot).clock);
    for (std::size_t w = 0; w < windows_per_key_; ++w) windows(slot)[w].write(out);
    for (std::size_t s = 0; s < seen_per_key_; ++s) seen(slot)[s].write(out);
  }
}

void Table::read(ByteReader& in) {
  evicted_ = in.get<std::int64_t>();
  const std::size_t keys = in.count(sizeof(std::uint64_t) * 2);
  for (std::size_t i = 0; i < keys; ++i) {
    const auto key = in.get<std::uint64_t>();
    ByteReader::check(key != 0 && find(key) == kNone, "a key comes twice");
    const std::uint32_t slot = add_key(key);
    link_as_newest(slot);
    head(slot).clock = in.get<std::int64_t>();
    for (const Group& group : groups_)
      if (!group.distinct) windows(slot)[group.place].read(in, group.shape);
    for (std::size_t s = 0; s < seen_per_key_; ++s) seen(slot)[s].read(in, max_distinct_);
    bytes_ += bytes_of(slot);
  }
}

std::int64_t Table::bytes_of(std::uint32_t slot) const noexcept {
  std::size_t sum = 0;
  for (std::size_t w = 0; w < windows_per_key_; ++w) sum += windows(slot)[w].bytes();
  for (std::size_t s = 0; s < seen_per_key_; ++s) sum += seen(slot)[s].bytes();
  return static_cast<std::int64_t>(sum);
}

Table::Head& Table::head(std::uint32_t slot) noexcept {
  return chunks_[slot / kChunk].heads[slot % kChunk];
}
const Table::Head& Table::head(std::uint32_t slot) const noexcept {
  return chunks_[slot / kChunk].heads[slot % kChunk];
}
Window* Table::windows(std::uint32_t slot) noexcept {
  return chunks_[slot / kChunk].windows.data() + slot % kChunk * windows_per_key_;
}
const Window* Table::windows(std::uint32_t slot) const noexcept {
  return chunks_[slot / kChunk].windows.data() + slot % kChunk * windows_per_key_;
}
Seen* Table::seen(std::uint32_t slot) noexcept {
  return chunks_[slot / kChunk].seen.data() + slot % kChunk * seen_per_key_;
}
const Seen* Table::seen(std::uint32_t slot) const noexcept {
  return chunks_[slot / kChunk].seen.data() + slot % kChunk * seen_per_key_;
}

}  // namespace recocore::velocity
