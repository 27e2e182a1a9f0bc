#include "recocore/user_records.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "ops/events/message_pack.hpp"
#include "recocore/error.hpp"

namespace recocore {
namespace {

using events::PackedKind;
using events::PackedValue;
using events::Packer;
using events::Unpacker;

constexpr char kBetween = '\0';
// Of the array, before what is kept as it is.
constexpr std::uint64_t kParts = 8;
constexpr std::string_view kNoAnswers("\x80", 1);

struct Bought {
  std::string_view item;
  std::int64_t time;
};

struct Recent {
  std::string_view item;
  std::string_view type;
  std::int64_t time;
  double weight;
};

struct Parts {
  std::vector<Bought> seen;
  std::vector<Recent> recent;
  std::string_view answers = kNoAnswers;  // and what stands behind them
  std::uint64_t count = kParts;
};

void expect(bool sound) {
  if (!sound) throw Error(ErrorCode::corrupt, "not a record");
}

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> parts;
  if (text.empty()) return parts;
  while (true) {
    const std::size_t end = text.find(kBetween);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

template <typename Number>
Number number_at(std::string_view numbers, std::size_t place) {
  Number number;
  std::memcpy(&number, numbers.data() + place * sizeof number, sizeof number);
  return number;
}

Parts parts_of(std::string_view record, std::size_t room) {
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
  const auto seen = split(view(PackedKind::text));
  const auto seen_times = view(PackedKind::bytes);
  const auto items = split(view(PackedKind::text));
  const auto types = split(view(PackedKind::text));
  const auto times = view(PackedKind::bytes);
  const auto weights = view(PackedKind::bytes);
  expect(seen_times.size() == 8 * seen.size() && types.size() == items.size() && times.size() == 8 * items.size() &&
         weights.size() == times.size());
  parts.answers = record.substr(unpacker.at());
  expect(!parts.answers.empty());
  parts.seen.reserve(seen.size() + room);
  for (std::size_t i = 0; i < seen.size(); ++i) parts.seen.push_back({seen[i], number_at<std::int64_t>(seen_times, i)});
  parts.recent.reserve(items.size() + room);
  for (std::size_t i = 0; i < items.size(); ++i)
    parts.recent.push_back({items[i], types[i], number_at<std::int64_t>(times, i), number_at<double>(weights, i)});
  return parts;
}

/// Puts an entry behind all that are as old or older, and drops the oldest beyond `most`.
template <typename Entry>
void put(std::vector<Entry>& entries, const Entry& entry, std::size_t most) {
  const auto at = std::ranges::upper_bound(entries, entry.time, {}, &Entry::time);
  entries.insert(at, entry);
  if (entries.size() > most) entries.erase(entries.begin(), entries.end() - static_cast<std::ptrdiff_t>(most));
}

template <typename Entry>
void append_texts(std::string& out, const std::vector<Entry>& entries, std::string_view Entry::* text) {
  std::size_t size = entries.empty() ? 0 : entries.size() - 1;
  for (const Entry& entry : entries) size += (entry.*text).size();
  Packer(out).text_head(size);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (i != 0) out.push_back(kBetween);
    out += entries[i].*text;
  }
}

template <typename Entry, typename Number>
void append_numbers(std::string& out, const std::vector<Entry>& entries, Number Entry::* number) {
  Packer(out).bytes_head(8 * entries.size());
  for (const Entry& entry : entries) {
    std::array<char, 8> bytes;
    std::memcpy(bytes.data(), &(entry.*number), bytes.size());
    out.append(bytes.data(), bytes.size());
  }
}

}  // namespace

UserRecords::UserRecords(std::int64_t max_recent, std::int64_t max_seen,
                         std::unordered_map<std::string, double> weights, std::unordered_set<std::string> seen)
    : max_recent_(static_cast<std::size_t>(max_recent)),
      max_seen_(static_cast<std::size_t>(max_seen)),
      weights_(std::move(weights)),
      seen_(std::move(seen)) {
  require(max_recent >= 1 && max_seen >= 1, [&] {
    return "max_recent, max_seen: expected at least 1, got " + std::to_string(max_recent) + " and " +
           std::to_string(max_seen);
  });
}

std::string UserRecords::add(std::string_view record, std::uint64_t version,
                             std::span<const RecordedEvent> events) const {
  Parts parts = parts_of(record, events.size());
  for (const RecordedEvent& event : events) {
    const std::string type(event.type);
    const auto weight = weights_.find(type);
    put(parts.recent, Recent{event.item, event.type, event.time, weight == weights_.end() ? 0.0 : weight->second},
        max_recent_);
    if (!seen_.contains(type)) continue;
    const auto bought = std::ranges::find(parts.seen, event.item, &Bought::item);
    if (bought != parts.seen.end()) {
      if (bought->time > event.time) continue;
      parts.seen.erase(bought);
    }
    put(parts.seen, Bought{event.item, event.time}, max_seen_);
  }
  std::string out;
  out.reserve(record.size() + 64 * (events.size() + 1));
  Packer packer(out);
  packer.array_head(parts.count);
  packer.unsigned_whole(version);
  append_texts(out, parts.seen, &Bought::item);
  append_numbers(out, parts.seen, &Bought::time);
  append_texts(out, parts.recent, &Recent::item);
  append_texts(out, parts.recent, &Recent::type);
  append_numbers(out, parts.recent, &Recent::time);
  append_numbers(out, parts.recent, &Recent::weight);
  out += parts.answers;
  return out;
}

}  // namespace recocore
