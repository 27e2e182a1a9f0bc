#include "recocore/user_records.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>
#include <vector>

#include "ops/events/message_pack.hpp"
#include "ops/events/user_lists.hpp"
#include "recocore/error.hpp"
#include "recocore/kept_events.hpp"
#include "recocore/profiles.hpp"

namespace recocore {
namespace {

using events::Numbers;
using events::PackedKind;
using events::PackedValue;
using events::Packer;
using events::Recent;
using events::Seen;
using events::Texts;
using events::Times;
using events::Unpacker;

// Of the array, before the profile and what is kept as it is.
constexpr std::uint64_t kParts = 8;
// Of an event.
constexpr std::size_t kMostFields = 64;
constexpr std::string_view kNoAnswers("\x80", 1);

struct Parts {
  Seen seen;
  Recent recent;
  std::string_view answers = kNoAnswers;  // as they stand
  bool allowed = true;                    // to keep anything for profiles
  std::string_view profile;
  std::string_view rest;
  std::uint64_t count = kParts;
};

void expect(bool sound) {
  if (!sound) throw Error(ErrorCode::corrupt, "not a record");
}

/// Reads the answers: whether one refuses the purpose.
bool refuses(Unpacker& unpacker, std::string_view purpose) {
  bool refused = false;
  PackedValue head, name, answer;
  expect(unpacker.next(head) && head.kind == PackedKind::map);
  for (std::uint64_t left = head.bits; left != 0; --left) {
    expect(unpacker.next(name) && name.kind == PackedKind::text);
    expect(unpacker.next(answer) && answer.kind == PackedKind::boolean);
    refused = refused || (name.view == purpose && answer.bits == 0);
  }
  return refused;
}

Parts parts_of(std::string_view record, std::string_view purpose) {
  Parts parts;
  if (record.empty()) return parts;
  Unpacker unpacker(record);
  PackedValue value;
  expect(unpacker.next(value) && value.kind == PackedKind::array && value.bits >= kParts);
  parts.count = value.bits;
  expect(unpacker.next(value) && value.kind == PackedKind::unsigned_whole);
  const auto view = [&](PackedKind kind) {
    expect(unpacker.next(value) && value.kind == kind);
    return value.view;
  };
  parts.seen.items = Texts(view(PackedKind::text));
  parts.seen.times = Times(view(PackedKind::bytes));
  parts.recent.items = Texts(view(PackedKind::text));
  parts.recent.types = Texts(view(PackedKind::text));
  parts.recent.times = Times(view(PackedKind::bytes));
  const auto weights = view(PackedKind::bytes);
  parts.recent.weights = Numbers<double>(weights);
  const std::size_t recent = parts.recent.items.size();
  expect(parts.seen.times.bytes().size() == 8 * parts.seen.items.size() && parts.recent.types.size() == recent &&
         parts.recent.times.bytes().size() == 8 * recent && weights.size() == 8 * recent);
  const std::size_t answers = unpacker.at();
  parts.allowed = !refuses(unpacker, purpose);
  parts.answers = record.substr(answers, unpacker.at() - answers);
  if (parts.count > kParts) parts.profile = view(PackedKind::bytes);
  parts.rest = record.substr(unpacker.at());
  return parts;
}

/// The values of a row by their places; what an older row lacks is nil.
class Row {
 public:
  Row(std::string_view row, const RecordedPlaces& at) {
    Unpacker unpacker(row);
    PackedValue value;
    expect_event(unpacker.next(value) && value.kind == PackedKind::array && value.bits <= kMostFields);
    const std::uint64_t count = value.bits;
    for (std::uint64_t i = 0; i < count; ++i) {
      expect_event(unpacker.next(values_[i]));
      if (values_[i].kind == PackedKind::array) read_texts(unpacker, values_[i].bits, i == at.tags);
    }
    expect_event(unpacker.done() && has(at.time) && has(at.type));
  }

  [[nodiscard]] bool has(std::size_t place) const { return values_[place].kind != PackedKind::nil; }
  [[nodiscard]] std::string_view text(std::size_t place) const {
    expect_event(values_[place].kind == PackedKind::text);
    return values_[place].view;
  }
  [[nodiscard]] std::int64_t whole(std::size_t place) const {
    const PackedValue& value = values_[place];
    if (value.kind == PackedKind::nil) return kNone;
    expect_event(value.kind == PackedKind::whole || value.kind == PackedKind::unsigned_whole);
    return static_cast<std::int64_t>(value.bits);
  }
  [[nodiscard]] double real(std::size_t place) const {
    const PackedValue& value = values_[place];
    if (value.kind == PackedKind::nil) return std::numeric_limits<double>::quiet_NaN();
    expect_event(value.kind == PackedKind::number);
    return value.number;
  }
  [[nodiscard]] std::uint64_t hash(std::size_t place) const { return has(place) ? hash_name(text(place)) : 0; }
  /// Places of distinct tags in the order of their bytes.
  [[nodiscard]] std::vector<std::int32_t> tags(KeptEvents& kept) const {
    std::vector<std::int32_t> places;
    for (const std::string_view tag : tags_) {
      const std::int32_t at = kept.intern(tag);
      if (std::ranges::find(places, at) == places.end()) places.push_back(at);
    }
    return places;
  }
  [[nodiscard]] std::int32_t name(std::size_t place, KeptEvents& kept) const {
    return has(place) ? kept.intern(text(place)) : -1;
  }

 private:
  static void expect_event(bool sound) {
    if (!sound) throw Error(ErrorCode::corrupt, "not an event");
  }
  void read_texts(Unpacker& unpacker, std::uint64_t count, bool kept) {
    PackedValue text;
    for (std::uint64_t left = count; left != 0; --left) {
      expect_event(unpacker.next(text) && text.kind == PackedKind::text);
      if (kept) tags_.push_back(text.view);
    }
    std::ranges::sort(tags_);
  }

  std::array<PackedValue, kMostFields> values_;
  std::vector<std::string_view> tags_;
};

KeptEvent kept_event(const Row& row, const RecordedPlaces& at, KeptEvents& kept) {
  KeptEvent event;
  event.time = row.whole(at.time);
  event.type = row.name(at.type, kept);
  event.item = row.hash(at.item);
  event.session = row.hash(at.session);
  event.order = row.hash(at.order);
  event.value = row.real(at.value);
  event.price = row.real(at.price);
  event.currency = row.name(at.currency, kept);
  event.quantity = row.whole(at.quantity);
  event.dwell = row.whole(at.dwell);
  event.query = row.name(at.query, kept);
  event.coupon = row.has(at.coupon);
  event.category = row.name(at.category, kept);
  event.brand = row.name(at.brand, kept);
  event.channel = row.name(at.channel, kept);
  event.tags = row.tags(kept);
  return event;
}

}  // namespace

UserRecords::UserRecords(RecordBounds bounds, const RecordedPlaces& places)
    : bounds_(std::move(bounds)), places_(places) {
  require(bounds_.recent >= 1 && bounds_.seen >= 1, [&] {
    return "max_recent, max_seen: expected at least 1, got " + std::to_string(bounds_.recent) + " and " +
           std::to_string(bounds_.seen);
  });
  for (const std::size_t place : {places.time, places.type, places.item, places.session, places.order, places.value,
                                  places.price, places.currency, places.quantity, places.dwell, places.query,
                                  places.coupon, places.category, places.brand, places.channel, places.tags})
    require(place < kMostFields, [&] { return "places: expected below 64, got " + std::to_string(place); });
}

std::string UserRecords::add(std::string_view record, std::uint64_t version,
                             std::span<const std::string_view> rows) const {
  Parts parts = parts_of(record, bounds_.purpose);
  std::vector<Row> events;
  events.reserve(rows.size());
  for (const std::string_view row : rows) events.emplace_back(row, places_);
  for (const Row& event : events) {
    if (!event.has(places_.item)) continue;
    const std::string type(event.text(places_.type));
    const std::string_view item = event.text(places_.item);
    const std::int64_t time = event.whole(places_.time);
    const auto weight = bounds_.weights.find(type);
    parts.recent.put(item, type, time, weight == bounds_.weights.end() ? 0.0 : weight->second, bounds_.recent);
    if (!bounds_.seen_types.contains(type)) continue;
    const std::size_t bought = parts.seen.items.find(item);
    if (bought != parts.seen.items.size()) {
      if (parts.seen.times[bought] > time) continue;
      parts.seen.erase(bought);
    }
    parts.seen.put(item, time, bounds_.seen);
  }
  std::vector<std::uint8_t> profile;
  const bool keeps = parts.allowed && bounds_.profile_bytes != 0 && !events.empty();
  if (keeps) {
    KeptEvents newer;
    std::vector<KeptEvent> added;
    added.reserve(events.size());
    for (const Row& event : events) added.push_back(kept_event(event, places_, newer));
    newer.add(added);
    profile =
        newer.pack_onto(std::span(reinterpret_cast<const std::uint8_t*>(parts.profile.data()), parts.profile.size()),
                        bounds_.profile_bytes);
    parts.profile = {reinterpret_cast<const char*>(profile.data()), profile.size()};
  }
  const bool has_profile = parts.count > kParts || !parts.profile.empty();

  std::string out;
  out.reserve(record.size() + 64 * (rows.size() + 1) + parts.profile.size());
  Packer packer(out);
  packer.array_head(has_profile ? std::max(parts.count, kParts + 1) : parts.count);
  packer.unsigned_whole(version);
  packer.text(parts.seen.items.joined());
  packer.bytes(parts.seen.times.bytes());
  packer.text(parts.recent.items.joined());
  packer.text(parts.recent.types.joined());
  packer.bytes(parts.recent.times.bytes());
  packer.bytes(parts.recent.weights.bytes());
  out += parts.answers;
  if (has_profile) {
    packer.bytes(parts.profile);
  }
  out += parts.rest;
  return out;
}

}  // namespace recocore
