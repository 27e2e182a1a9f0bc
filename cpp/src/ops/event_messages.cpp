#include "recocore/event_messages.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

#include "ops/events/listed_text.hpp"
#include "ops/events/message_pack.hpp"
#include "ops/events/utf8.hpp"
#include "ops/events/wire.hpp"
#include "recocore/error.hpp"

namespace recocore {
namespace {

using events::Packer;
using events::Wire;
using events::WireField;
using events::WireReader;

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kDay = 86'400 * kSecond;
// Of a RecordEventsRequest.
constexpr std::uint64_t kEvents = 1, kDurability = 2;

std::string packed_name(std::string_view name) {
  std::string packed;
  Packer(packed).text(name);
  return packed;
}

bool is_type(std::string_view text, std::int64_t most) {
  return std::ssize(text) <= most && std::ranges::all_of(text, [](char letter) {
           return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') || letter == '_';
         });
}

/// Microseconds since 1970 of a Timestamp, -1 where it is left to the caller.
std::int64_t microseconds(std::string_view timestamp, std::int64_t now) {
  std::int64_t seconds = 0, nanos = 0;
  WireField field;
  for (WireReader reader(timestamp); !reader.done();) {
    if (!reader.next(field) || field.wire != Wire::varint || field.number > 2) return -1;
    (field.number == 1 ? seconds : nanos) = static_cast<std::int64_t>(field.bits);
  }
  if (seconds < 0 || seconds > (now + kDay) / kSecond || nanos < 0 || nanos >= 1'000 * kSecond) return -1;
  return seconds * kSecond + nanos / 1'000;
}

}  // namespace

EventMessages::EventMessages(std::vector<EventMessageField> fields, const std::vector<int>& left, int item, int arm,
                             std::vector<std::string> itemless)
    : itemless_(std::move(itemless)) {
  const auto bit = [](int number) {
    require(number >= 1 && number < static_cast<int>(kNumbers),
            [&] { return "number: expected 1 to 63, got " + std::to_string(number); });
    return std::uint64_t{1} << static_cast<unsigned>(number);
  };
  place_.fill(-1);
  for (EventMessageField& field : fields) {
    const std::uint64_t mine = bit(field.number);
    place_[static_cast<std::size_t>(field.number)] = static_cast<std::int8_t>(fields_.size());
    if (field.required) required_ |= mine;
    if (field.kind == EventMessageKind::texts) {
      require(texts_ == 0, [] { return std::string("fields: expected one of kind texts at most"); });
      texts_ = mine;
      packed_texts_ = packed_name(field.name);
    }
    if (field.kind == EventMessageKind::time) {
      time_ = mine;
      packed_time_ = packed_name(field.name);
    }
    std::string name = packed_name(field.name);
    fields_.push_back({std::move(field), std::move(name)});
  }
  for (const int number : left) left_ |= bit(number);
  item_ = bit(item);
  arm_ = bit(arm);
}

std::optional<EventMessages::Rows> EventMessages::read(std::string_view request, std::int64_t now,
                                                       std::size_t most) const {
  Rows found;
  WireField field;
  for (WireReader reader(request); !reader.done();) {
    if (!reader.next(field)) return std::nullopt;
    if (field.number == kEvents && field.wire == Wire::bytes) {
      if (found.rows.size() == most) return std::nullopt;
      std::string& row = found.rows.emplace_back();
      Rows::Token token{found.rows.size() - 1, {}, false};
      if (!append_row(field.view, now, row, token))
        row.clear();
      else if (!token.text.empty())
        found.tokens.push_back(token);
    } else if (field.number == kDurability && field.wire == Wire::varint) {
      found.durability = static_cast<std::int32_t>(field.bits);
    } else if (field.number == kEvents || field.number == kDurability) {
      return std::nullopt;
    }
  }
  return found;
}

bool EventMessages::append_row(std::string_view event, std::int64_t now, std::string& row, Rows::Token& token) const {
  row.reserve(event.size() + 192);
  row.assign("\xde\0\0", 3);  // a map of up to 65,535
  Packer packer(row);
  std::uint64_t seen = 0, present = 0;
  std::string_view type;
  std::vector<std::string_view> texts;
  WireField field;
  for (WireReader reader(event); !reader.done();) {
    if (!reader.next(field)) return false;
    const std::int8_t place = field.number < kNumbers ? place_[field.number] : std::int8_t{-1};
    const std::uint64_t mine = field.number < kNumbers ? std::uint64_t{1} << field.number : 0;
    // A field that comes twice counts by its last, or is merged: rare enough to leave it.
    if ((left_ & mine) != 0 || (seen & ~texts_ & mine) != 0) return false;
    if (place < 0) continue;
    seen |= mine;
    const auto& [known, name] = fields_[static_cast<std::size_t>(place)];
    switch (known.kind) {
      case EventMessageKind::text:
      case EventMessageKind::type:
      case EventMessageKind::token:
        if (field.wire != Wire::bytes || std::ssize(field.view) > known.most || !events::is_utf8(field.view))
          return false;
        if (field.view.empty()) continue;
        if (known.kind == EventMessageKind::type) {
          type = field.view;
          if (!is_type(type, known.most)) return false;
        }
        if (known.kind == EventMessageKind::token) token.text = field.view;
        row += name;
        packer.text(field.view);
        break;
      case EventMessageKind::time: {
        if (field.wire != Wire::bytes) return false;
        const std::int64_t time = microseconds(field.view, now);
        if (time < 0) return false;
        row += name;
        packer.whole(time);
        break;
      }
      case EventMessageKind::whole: {
        const auto whole = static_cast<std::int64_t>(field.bits);
        if (field.wire != Wire::varint || whole < known.least || whole > known.most) return false;
        row += name;
        packer.whole(whole);
        break;
      }
      case EventMessageKind::texts:
        if (field.wire != Wire::bytes || std::ssize(texts) == known.least ||
            !events::is_listed_text(field.view, known.most))
          return false;
        texts.push_back(field.view);
        continue;
      case EventMessageKind::number: {
        const double number = std::bit_cast<double>(field.bits);
        if (field.wire != Wire::fixed64 || !std::isfinite(number)) return false;
        row += name;
        packer.number(number);
        break;
      }
    }
    present |= mine;
  }
  if (!texts.empty()) {
    row += packed_texts_;
    packer.array_head(texts.size());
    for (const std::string_view text : texts) packer.text(text);
    present |= texts_;
  }
  if ((present & time_) == 0) {
    row += packed_time_;
    packer.whole(now);
    present |= time_;
  }
  const bool itemless = std::ranges::find(itemless_, type) != itemless_.end();
  if (const std::uint64_t required = itemless ? required_ & ~item_ : required_ | item_;
      (present & required) != required)
    return false;
  token.has_arm = (present & arm_) != 0;
  row[2] = static_cast<char>(std::popcount(present));
  return true;
}

}  // namespace recocore
