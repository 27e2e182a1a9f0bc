#include "recocore/event_rows.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "ops/events/listed_text.hpp"
#include "ops/events/message_pack.hpp"
#include "ops/events/utf8.hpp"
#include "recocore/error.hpp"

namespace recocore {
namespace {

using events::PackedKind;
using events::PackedValue;
using events::Packer;
using events::Unpacker;

constexpr std::int64_t kDay = 86'400'000'000;

bool is_whole(const PackedValue& value) {
  return value.kind == PackedKind::whole || (value.kind == PackedKind::unsigned_whole && value.bits <= INT64_MAX);
}

bool fits(const EventRowField& field, const PackedValue& value, std::int64_t now) {
  const bool text =
      value.kind == PackedKind::text && std::ssize(value.view) <= field.most && events::is_utf8(value.view);
  switch (field.kind) {
    case EventRowKind::text: return text;
    case EventRowKind::id: return text && !value.view.empty();
    case EventRowKind::name: return (text && !value.view.empty()) || is_whole(value);
    case EventRowKind::time:
      return is_whole(value) && static_cast<std::int64_t>(value.bits) >= 0 &&
             static_cast<std::int64_t>(value.bits) <= now + kDay;
    case EventRowKind::whole: return is_whole(value);
    case EventRowKind::number: return value.kind == PackedKind::number && std::isfinite(value.number);
    case EventRowKind::texts:
      return value.kind == PackedKind::array && static_cast<std::int64_t>(value.bits) <= field.count;
  }
  return false;
}

/// Reads the members of an array of texts, whose view becomes their bytes; false where one does not fit.
bool take_texts(const EventRowField& field, std::string_view map, Unpacker& unpacker, PackedValue& value) {
  const std::size_t begin = unpacker.at();
  PackedValue text;
  for (std::uint64_t left = value.bits; left != 0; --left)
    if (!unpacker.next(text) || text.kind != PackedKind::text || !events::is_listed_text(text.view, field.most))
      return false;
  value.view = map.substr(begin, unpacker.at() - begin);
  return true;
}

/// Writes what take_texts() read.
void put_texts(const PackedValue& value, Packer& packer) {
  packer.array_head(value.bits);
  PackedValue text;
  for (Unpacker unpacker(value.view); unpacker.next(text);) packer.text(text.view);
}

std::string text_of(const PackedValue& value) {
  return value.kind == PackedKind::text ? std::string(value.view)
                                        : std::to_string(static_cast<std::int64_t>(value.bits));
}

}  // namespace

EventRows::EventRows(std::vector<EventRowField> fields, std::vector<std::string> itemless, std::string default_type,
                     const Hashes& hashes)
    : fields_(std::move(fields)),
      itemless_(std::move(itemless)),
      default_type_(std::move(default_type)),
      hashes_(hashes) {
  require(fields_.size() <= kMostFields,
          [&] { return "fields: expected at most 64, got " + std::to_string(fields_.size()); });
  const auto found = [this](std::string_view name) {
    const std::size_t place = place_of(name, 0);
    require(place < fields_.size(), [&] { return "fields: expected one named " + std::string(name) + ", got none"; });
    return place;
  };
  event_id_ = found("event_id");
  event_time_ = found("event_time");
  user_ = found("user_id");
  visitor_ = found("visitor_id");
  item_ = found("item_id");
  type_ = found("type");
}

std::size_t EventRows::place_of(std::string_view name, std::size_t likely) const {
  // Fields mostly come in the order of the schema, or nearly.
  for (std::size_t place = likely; place < fields_.size(); ++place)
    if (fields_[place].name == name) return place;
  for (std::size_t place = 0; place < std::min(likely, fields_.size()); ++place)
    if (fields_[place].name == name) return place;
  return fields_.size();
}

bool EventRows::read(std::string_view map, std::int64_t now, EventRow& row) const {
  std::array<PackedValue, kMostFields> values;  // nil: absent
  Unpacker unpacker(map);
  PackedValue head;
  if (!unpacker.next(head) || head.kind != PackedKind::map) return false;
  std::uint64_t seen = 0;
  std::size_t likely = 0;
  for (std::uint64_t left = head.bits; left != 0; --left) {
    PackedValue key, value;
    if (!unpacker.next(key) || key.kind != PackedKind::text || !unpacker.next(value)) return false;
    const std::size_t place = place_of(key.view, likely);
    if (place == fields_.size() || (seen >> place & 1U) != 0) return false;
    seen |= std::uint64_t{1} << place;
    likely = place + 1;
    if (value.kind == PackedKind::nil && place != type_) continue;
    if (!fits(fields_[place], value, now)) return false;
    if (value.kind == PackedKind::array && !take_texts(fields_[place], map, unpacker, value)) return false;
    values[place] = value;
  }
  if (!unpacker.done()) return false;

  const auto has = [&values](std::size_t place) { return values[place].kind != PackedKind::nil; };
  row.visitor = !has(user_);
  if (row.visitor && !has(visitor_)) return false;
  row.type = has(type_) ? std::string(values[type_].view) : default_type_;
  row.has_item = has(item_);
  row.item = row.has_item ? text_of(values[item_]) : std::string();
  // Records keep items, and types, as one text with NUL between them.
  if (row.item.find('\0') != std::string::npos || row.type.find('\0') != std::string::npos) return false;
  if (!row.has_item && std::ranges::find(itemless_, row.type) == itemless_.end()) return false;
  const PackedValue& who = values[row.visitor ? visitor_ : user_];
  row.subject = (row.visitor ? hashes_.visitors : hashes_.users).digest(text_of(who));
  row.event = has(event_id_) ? hashes_.events.digest(values[event_id_].view) : KeyedBlake2b::Digest{};
  row.time = has(event_time_) ? static_cast<std::int64_t>(values[event_time_].bits) : now;

  row.packed.clear();
  row.packed.reserve(map.size() + fields_.size());
  Packer packer(row.packed);
  packer.array_head(fields_.size());
  for (std::size_t place = 0; place < fields_.size(); ++place) {
    const PackedValue& value = values[place];
    if (place == type_) {
      packer.text(row.type);
    } else if (place == item_ && row.has_item) {
      packer.text(row.item);
    } else if (value.kind == PackedKind::nil) {
      if (fields_[place].kind == EventRowKind::time)
        packer.whole(now);
      else
        packer.nil();
    } else if (value.kind == PackedKind::text) {
      packer.text(value.view);
    } else if (value.kind == PackedKind::array) {
      put_texts(value, packer);
    } else if (value.kind == PackedKind::number) {
      packer.number(value.number);
    } else if (fields_[place].kind == EventRowKind::name) {
      packer.text(text_of(value));
    } else {
      packer.whole(static_cast<std::int64_t>(value.bits));
    }
  }
  return true;
}

}  // namespace recocore
