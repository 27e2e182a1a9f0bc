#include "ops/velocity/table.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace recocore::velocity {
namespace {

constexpr std::uint32_t kNone = UINT32_MAX;
constexpr std::size_t kPlaces = 3;       // of the index a key, on average: it is a quarter to half full
constexpr std::size_t kFirstIndex = 64;  // places
// How a key is kept, in a checkpoint.
constexpr std::uint8_t kRecent = 0;
constexpr std::uint8_t kWindows = 1;

}  // namespace

Table::Table(const VelocityParams& params, int table, const HashKey& key)
    : plan_(params, table),
      pool_(plan_.masks, plan_.words),
      id_columns_(params.tables[static_cast<std::size_t>(table)]),
      hash_key_(key),
      including_(params.including),
      max_distinct_(static_cast<std::size_t>(params.max_distinct)),
      share_(params.memory_bytes / static_cast<std::int64_t>(params.tables.size())),
      record_(plan_.words),
      oldest_(kNone),
      newest_(kNone),
      bytes_per_key_(static_cast<std::int64_t>(sizeof(Entry) + sizeof(Links) + kPlaces * sizeof(Place))) {
  static_assert(sizeof(Entry) == alignof(Entry));
  make_index(kFirstIndex);
}

void Table::read_keys(const VelocityEvents& events, std::int64_t chunk) {
  Next& next = next_[static_cast<std::size_t>(chunk) % next_.size()];
  const std::int64_t begin = chunk * kAhead;
  next.size = static_cast<std::size_t>(std::min(events.ids.rows - begin, kAhead));
  for (std::size_t i = 0; i < next.size; ++i) {
    next.keys[i] = key_of(events.ids.row(begin + static_cast<std::int64_t>(i)));
    __builtin_prefetch(&index_[static_cast<std::int64_t>(next.keys[i] & mask_)]);
  }
}

void Table::look_up(std::int64_t chunk) noexcept {
  Next& next = next_[static_cast<std::size_t>(chunk) % next_.size()];
  for (std::size_t i = 0; i < next.size; ++i) {
    const std::uint32_t slot = next.slots[i] = guess(next.keys[i]);
    if (slot == kNone) continue;
    __builtin_prefetch(&entries_[slot]);
    __builtin_prefetch(&links_[slot]);
  }
}

void Table::prefetch(std::int64_t chunk) const noexcept {
  const Next& next = next_[static_cast<std::size_t>(chunk) % next_.size()];
  for (std::size_t i = 0; i < next.size; ++i) {
    const std::uint32_t slot = next.slots[i];
    if (slot == kNone) continue;
    for (const std::uint32_t beside : {links_[slot].older, links_[slot].newer})
      if (beside != kNone) __builtin_prefetch(&links_[beside]);
    const Entry& own = entries_[slot];
    own.recent.prefetch(plan_);
    if (own.windows == nullptr) continue;
    for (const Window& window : own.windows->windows) window.prefetch();
    for (const Seen& seen : own.windows->seen) seen.prefetch();
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

inline void Table::take_in_recent(Entry& entry, const Taken& event) {
  Recent& recent = entry.recent;
  const std::int64_t bound = plan_.horizon(entry.clock);
  if (!recent.empty() && recent.newest() < bound) recent.clear();
  if (recent.size() == plan_.most && plan_.seen == 0) recent.drop_before(plan_, bound);
  if (recent.size() == plan_.most) {
    go_over_to_windows(entry);
    take_in_windows(entry, event);
    return;
  }
  if (!including_) recent.read(plan_, entry.clock, event, scratch_);
  if (event.time >= bound) {
    plan_.write(recent.add(plan_, pool_, entry.clock, event.time), event);
    recent.added(plan_);
  }
  if (including_) recent.read(plan_, entry.clock, event, scratch_);
}

inline void Table::take_in(std::uint64_t key, std::uint32_t slot, const Taken& event) {
  // What was looked up ahead holds unless the key is new, or was forgotten meanwhile.
  if (slot == kNone || entries_[slot].key != key) slot = find(key);
  if (slot == kNone) {
    slot = add_key(key);
    entries_[slot].clock = event.time;
    link_as_newest(slot);
  } else if (slot != newest_) {
    unlink(slot);
    link_as_newest(slot);
  }
  Entry& own = entries_[slot];
  own.clock = std::max(own.clock, event.time);
  bytes_ -= bytes_of(own);
  if (own.windows == nullptr)
    take_in_recent(own, event);
  else
    take_in_windows(own, event);
  bytes_ += bytes_of(own);
  while (bytes_ > share_ && keys_ > 1) {
    forget(oldest_);
    ++evicted_;
  }
}

void Table::take_in(const VelocityEvents& events, std::int64_t chunk, MatrixView<const Amount> amounts,
                    MatrixView<double> features) {
  const Next& next = next_[static_cast<std::size_t>(chunk) % next_.size()];
  for (std::size_t i = 0; i < next.size; ++i) {
    const auto ahead = static_cast<std::int64_t>(i);
    const std::int64_t row = chunk * kAhead + ahead;
    const auto place = static_cast<std::size_t>(row);
    const Taken event{events.times[place], events.types[place], events.ids.row(row).data(), amounts.row(ahead).data(),
                      features.row(row).data()};
    if (next.keys[i] == 0) {
      for (const Reading& reading : plan_.readings)
        event.features[reading.feature] = std::numeric_limits<double>::quiet_NaN();
      continue;
    }
    take_in(next.keys[i], next.slots[i], event);
  }
}

void Table::take_in_windows(Entry& entry, const Taken& event) {
  Windows& windows = *entry.windows;
  expire(windows, entry.clock);
  if (plan_.most > 0 && is_empty(windows)) {
    entry.windows.reset();
    take_in_recent(entry, event);
    return;
  }
  if (!including_) read_windows(windows, event);
  plan_.write(record_.data(), event);
  add(windows, entry.clock, record_.data());
  if (including_) read_windows(windows, event);
}

void Table::go_over_to_windows(Entry& entry) {
  auto windows = std::make_unique<Windows>(Windows{std::vector<Window>(plan_.windows), std::vector<Seen>(plan_.seen)});
  // As if there had been windows from the first of these events on.
  std::int64_t clock = entry.recent.start();
  for (std::size_t at = 0; at < entry.recent.size(); ++at) {
    const std::uint64_t* const record = entry.recent.record(plan_, at);
    clock = std::max(clock, static_cast<std::int64_t>(*record));
    expire(*windows, clock);
    add(*windows, clock, record);
  }
  entry.windows = std::move(windows);
  entry.recent.release(pool_);
}

void Table::expire(Windows& windows, std::int64_t clock) const {
  for (const Group& group : plan_.groups) {
    if (group.distinct)
      windows.seen[group.place].expire(group.length, clock);
    else
      windows.windows[group.place].expire(group.shape, clock);
  }
}

bool Table::is_empty(const Windows& windows) noexcept {
  return std::ranges::all_of(windows.windows, [](const Window& window) { return window.count() == 0; }) &&
         std::ranges::all_of(windows.seen, [](const Seen& seen) { return seen.count() == 0; });
}

void Table::add(Windows& windows, std::int64_t clock, const std::uint64_t* record) const {
  const auto time = static_cast<std::int64_t>(*record);
  for (const Group& group : plan_.groups) {
    if (!plan_.counts(group, record)) continue;
    if (group.distinct)
      windows.seen[group.place].add(group.length, clock, time, plan_.id(group, record), max_distinct_);
    else
      windows.windows[group.place].add(group.shape, clock, time, plan_.amount(group, record));
  }
}

void Table::read_windows(const Windows& windows, const Taken& event) const {
  for (const Reading& reading : plan_.readings) {
    const Group& group = plan_.groups[reading.group];
    double& feature = event.features[reading.feature];
    if (group.distinct) {
      feature = static_cast<double>(windows.seen[group.place].count());
      continue;
    }
    const Window& window = windows.windows[group.place];
    switch (reading.statistic) {
      case VelocityStatistic::count: feature = static_cast<double>(window.count()); break;
      case VelocityStatistic::sum: feature = window.sum(); break;
      case VelocityStatistic::mean: feature = window.mean(); break;
      case VelocityStatistic::min: feature = window.min(); break;
      case VelocityStatistic::max: feature = window.max(); break;
      case VelocityStatistic::ratio: feature = ratio_of(event.amounts[group.column], window.mean()); break;
      case VelocityStatistic::distinct: break;
    }
  }
}

std::uint32_t Table::find(std::uint64_t key) const noexcept {
  if (key == 0) return kNone;
  const auto mark = static_cast<std::uint32_t>(key);
  for (std::size_t at = mark & mask_;; at = (at + 1) & mask_) {
    const Place place = index_[static_cast<std::int64_t>(at)];
    if (place.slot == kNone || (place.mark == mark && entries_[place.slot].key == key)) return place.slot;
  }
}

std::uint32_t Table::guess(std::uint64_t key) const noexcept {
  if (key == 0) return kNone;
  const auto mark = static_cast<std::uint32_t>(key);
  for (std::size_t at = mark & mask_;; at = (at + 1) & mask_) {
    const Place place = index_[static_cast<std::int64_t>(at)];
    if (place.slot == kNone || place.mark == mark) return place.slot;
  }
}

std::uint32_t Table::add_key(std::uint64_t key) {
  if ((keys_ + 1) * 2 > mask_ + 1) make_index(2 * (mask_ + 1));
  std::uint32_t slot = 0;
  if (!free_.empty()) {
    slot = free_.back();
    free_.pop_back();
  } else {
    slot = entries_.add();
    links_.emplace_back();
  }
  put({static_cast<std::uint32_t>(key), slot});
  ++keys_;
  bytes_ += bytes_per_key_;
  entries_[slot].key = key;
  return slot;
}

void Table::put(Place place) noexcept {
  std::size_t at = place.mark & mask_;
  while (index_[static_cast<std::int64_t>(at)].slot != kNone) at = (at + 1) & mask_;
  index_[static_cast<std::int64_t>(at)] = place;
}

void Table::make_index(std::size_t places) {
  BigArray<Place> old;
  std::swap(old, index_);
  const std::size_t before = mask_ + 1;
  mask_ = places - 1;
  std::fill_n(index_.resize(static_cast<std::int64_t>(places)), places, Place{0, kNone});
  if (keys_ == 0) return;
  for (const Place& place : std::span(old.data(), before))
    if (place.slot != kNone) put(place);
}

void Table::forget(std::uint32_t slot) {
  const std::span<Place> index(index_.data(), mask_ + 1);
  std::size_t hole = entries_[slot].key & mask_;
  while (index[hole].slot != slot) hole = (hole + 1) & mask_;
  // Those behind the hole move up as far as the place that their key asks for allows.
  for (std::size_t at = (hole + 1) & mask_; index[at].slot != kNone; at = (at + 1) & mask_) {
    const std::size_t wanted = index[at].mark & mask_;
    if (((at - wanted) & mask_) >= ((at - hole) & mask_)) {
      index[hole] = index[at];
      hole = at;
    }
  }
  index[hole].slot = kNone;
  bytes_ -= bytes_of(entries_[slot]);
  entries_[slot].recent.release(pool_);
  entries_[slot] = Entry();
  unlink(slot);
  free_.push_back(slot);
  --keys_;
  bytes_ -= bytes_per_key_;
}

void Table::unlink(std::uint32_t slot) noexcept {
  const Links own = links_[slot];
  (own.older == kNone ? oldest_ : links_[own.older].newer) = own.newer;
  (own.newer == kNone ? newest_ : links_[own.newer].older) = own.older;
}

void Table::link_as_newest(std::uint32_t slot) noexcept {
  links_[slot] = {newest_, kNone};
  (newest_ == kNone ? oldest_ : links_[newest_].newer) = slot;
  newest_ = slot;
}

void Table::write(ByteWriter& out) const {
  out.put(evicted_);
  out.put(static_cast<std::uint64_t>(keys_));
  for (std::uint32_t slot = oldest_; slot != kNone; slot = links_[slot].newer) {
    const Entry& own = entries_[slot];
    out.put(own.key);
    out.put(own.clock);
    out.put(static_cast<std::uint8_t>(own.windows != nullptr ? kWindows : kRecent));
    if (own.windows != nullptr) {
      for (const Window& window : own.windows->windows) window.write(out);
      for (const Seen& seen : own.windows->seen) seen.write(out);
      continue;
    }
    out.put(static_cast<std::uint64_t>(own.recent.size()));
    out.put(own.recent.start());
    for (std::size_t at = 0; at < own.recent.size(); ++at)
      for (const std::uint64_t word : std::span(own.recent.record(plan_, at), plan_.words)) out.put(word);
  }
}

void Table::read(ByteReader& in, bool forms) {
  evicted_ = in.get<std::int64_t>();
  const std::size_t keys = in.count(sizeof(std::uint64_t) * 2);
  for (std::size_t i = 0; i < keys; ++i) {
    const auto key = in.get<std::uint64_t>();
    ByteReader::check(key != 0 && find(key) == kNone, "a key comes twice");
    const std::uint32_t slot = add_key(key);
    link_as_newest(slot);
    Entry& own = entries_[slot];
    own.clock = in.get<std::int64_t>();
    const std::uint8_t form = forms ? in.get<std::uint8_t>() : kWindows;
    ByteReader::check(form == kWindows || form == kRecent, "a key is of no known form");
    if (form == kWindows)
      read_windows(in, own);
    else
      read_recent(in, own);
    bytes_ += bytes_of(own);
  }
}

void Table::read_windows(ByteReader& in, Entry& entry) const {
  entry.windows = std::make_unique<Windows>(Windows{std::vector<Window>(plan_.windows), std::vector<Seen>(plan_.seen)});
  for (const Group& group : plan_.groups)
    if (!group.distinct) entry.windows->windows[group.place].read(in, group.shape);
  for (Seen& seen : entry.windows->seen) seen.read(in, max_distinct_);
}

void Table::read_recent(ByteReader& in, Entry& entry) {
  const std::size_t number = in.count(plan_.words * sizeof(std::uint64_t));
  ByteReader::check(number <= plan_.most, "a key has more events than it may have");
  std::int64_t clock = in.get<std::int64_t>();
  std::vector<std::uint64_t> record(plan_.words);
  for (std::size_t at = 0; at < number; ++at) {
    for (std::uint64_t& word : record) word = in.get<std::uint64_t>();
    const auto time = static_cast<std::int64_t>(record[0]);
    ByteReader::check(time <= entry.clock && plan_.is_sound(record.data()), "an event is not what was counted");
    std::ranges::copy(record, entry.recent.add(plan_, pool_, clock, time));
    entry.recent.added(plan_);
  }
}

std::int64_t Table::bytes_of(const Entry& entry) const noexcept {
  if (entry.windows == nullptr) return static_cast<std::int64_t>(entry.recent.bytes(plan_));
  std::size_t sum = sizeof(Windows) + plan_.windows * sizeof(Window) + plan_.seen * sizeof(Seen) + 3 * kAllocation;
  for (const Window& window : entry.windows->windows) sum += window.bytes();
  for (const Seen& seen : entry.windows->seen) sum += seen.bytes();
  return static_cast<std::int64_t>(sum);
}

}  // namespace recocore::velocity
