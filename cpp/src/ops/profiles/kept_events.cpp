#include "recocore/kept_events.hpp"

#include <algorithm>
#include <utility>

#include "ops/profiles/kept_format.hpp"
#include "recocore/error.hpp"

namespace recocore {

using namespace kept;

namespace {

constexpr std::size_t kLongestName = 100;
// A new event with a session, an item and some names.
constexpr std::size_t kBytesOfNew = 64;

/// At most so many bytes of a text, whole characters of UTF-8.
std::string_view cut(std::string_view text) {
  if (text.size() <= kLongestName) return text;
  std::size_t end = kLongestName;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return text.substr(0, end);
}

}  // namespace

// NOLINTBEGIN(bugprone-signed-bitwise)  (masks of small numbers)
KeptEvents KeptEvents::unpack(std::span<const std::uint8_t> packed) {
  KeptEvents kept;
  if (packed.empty()) return kept;
  kept.events_.reserve(packed.size() / kBytesOfEvent + 2);
  Reader reader(packed);
  Head head = read_head(reader);
  kept.left_out_ = head.left_out;
  kept.purchases_ = std::move(head.purchases);
  std::int64_t time = head.newest;
  std::vector<std::uint64_t> hashes;
  hashes.reserve(packed.size() / kBytesOfHash);
  const auto name = [&] {
    const std::uint64_t place = reader.number();
    if (place > kept.names_.size()) refuse("expected places of names, got another number");
    if (place == kept.names_.size()) {
      const auto text = reader.take(reader.number());
      kept.names_.emplace_back(text.begin(), text.end());
    }
    return static_cast<std::int32_t>(place);
  };
  const auto hash = [&] {
    const std::uint64_t place = reader.number();
    if (place > hashes.size()) refuse("expected places of hashes, got another number");
    if (place == hashes.size()) hashes.push_back(reader.whole());
    return hashes[place];
  };
  while (!reader.done()) {
    KeptEvent event;
    const std::uint64_t bits = reader.number();
    const auto has = [bits](std::uint32_t bit) { return (bits & bit) != 0; };
    event.type = name();
    const std::uint64_t distance =
        reader.number() * static_cast<std::uint64_t>(unit_of(static_cast<std::uint32_t>(bits)));
    event.time = time = static_cast<std::int64_t>(static_cast<std::uint64_t>(time) - distance);
    if (has(kItem)) event.item = hash();
    if (has(kSession)) event.session = hash();
    if (has(kOrder)) event.order = hash();
    if (has(kCategory)) event.category = name();
    if (has(kBrand)) event.brand = name();
    if (has(kChannel)) event.channel = name();
    if (has(kQuery)) event.query = name();
    if (has(kCurrency)) event.currency = name();
    if (has(kValue)) event.value = reader.money();
    if (has(kPrice)) event.price = reader.money();
    if (has(kQuantity)) event.quantity = reader.signed_number();
    if (has(kDwell)) event.dwell = reader.signed_number();
    event.coupon = has(kCoupon);
    if (has(kTags))
      for (std::uint64_t left = reader.number(); left > 0; --left) event.tags.push_back(name());
    kept.events_.push_back(std::move(event));
  }
  std::reverse(kept.events_.begin(), kept.events_.end());
  return kept;
}
// NOLINTEND(bugprone-signed-bitwise)

std::int32_t KeptEvents::intern(std::string_view name) {
  name = cut(name);
  const auto found = std::find(names_.begin(), names_.end(), name);
  if (found == names_.end()) {
    names_.emplace_back(name);
    return static_cast<std::int32_t>(names_.size() - 1);
  }
  return static_cast<std::int32_t>(found - names_.begin());
}

bool KeptEvents::is_purchase(const KeptEvent& event) const {
  return kept::is_purchase(names_[static_cast<std::size_t>(event.type)], event.value);
}

void KeptEvents::add(std::span<const KeptEvent> events) {
  for (const KeptEvent& event : events) {
    if (event.time >= left_out_) {
      events_.push_back(event);
    } else if (is_purchase(event)) {
      purchases_.add(event.time);
    }
  }
  const auto older = [](const KeptEvent& a, const KeptEvent& b) { return a.time < b.time; };
  if (!std::is_sorted(events_.begin(), events_.end(), older)) std::stable_sort(events_.begin(), events_.end(), older);
}

void KeptEvents::merge(const KeptEvents& other) {
  std::vector<std::int32_t> codes;
  codes.reserve(other.names_.size());
  for (const std::string& name : other.names_) codes.push_back(intern(name));
  std::vector<KeptEvent> events = other.events_;
  for (KeptEvent& event : events) {
    for (std::int32_t* code :
         {&event.type, &event.category, &event.brand, &event.channel, &event.query, &event.currency})
      if (*code >= 0) *code = codes[static_cast<std::size_t>(*code)];
    for (std::int32_t& tag : event.tags) tag = codes[static_cast<std::size_t>(tag)];
  }
  left_out_ = std::max(left_out_, other.left_out_);
  purchases_.merge(other.purchases_);
  add(events);
}

std::vector<std::uint8_t> KeptEvents::pack(std::size_t limit, std::int64_t cutoff) const {
  if (events_.empty()) return {};
  Packer packer(names_, events_.back().time, limit, 0);
  for (auto event = events_.rbegin(); event != events_.rend() && event->time >= cutoff; ++event) packer.add(*event);
  // What was left out before the cutoff would not be there anyway.
  KeptPurchases purchases = purchases_;
  purchases.drop_before(cutoff);
  return packer.record(left_out_ < cutoff ? kNone : left_out_, std::move(purchases));
}

std::vector<std::uint8_t> KeptEvents::pack_onto(std::span<const std::uint8_t> packed, std::size_t limit) const {
  if (packed.empty()) return pack(limit, 0);
  Reader reader(packed);
  Head head = read_head(reader);
  const bool newer = !events_.empty() && events_.front().time >= head.newest && head.newest >= head.left_out &&
                     head.newest >= 0 && left_out_ == kNone && purchases_.empty();
  if (!newer) {
    KeptEvents all = unpack(packed);
    all.merge(*this);
    return all.pack(limit, 0);
  }
  Packer packer(names_, events_.back().time, limit, packed.size() + kBytesOfNew * events_.size());
  for (auto event = events_.rbegin(); event != events_.rend(); ++event) packer.add(*event);
  rewrite_events(reader, head.newest, packer);
  head.purchases.drop_before(0);
  return packer.record(head.left_out < 0 ? kNone : head.left_out, std::move(head.purchases));
}

}  // namespace recocore
