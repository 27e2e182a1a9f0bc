// Writes the records of kept events.
#include <algorithm>
#include <utility>

#include "ops/profiles/kept_format.hpp"

namespace recocore::kept {
namespace {

// Of the bytes of a record: some sixty purchase days, beside the events that have the rest.
constexpr std::size_t kPurchaseShare = 8;
constexpr std::size_t kMostPurchaseBytes = 128;
// Records with less room than that keep events alone.
constexpr std::size_t kLeastForPurchases = 256;
constexpr std::size_t kNoEnd = std::numeric_limits<std::size_t>::max();

}  // namespace

// NOLINTBEGIN(bugprone-signed-bitwise)  (masks of small numbers)
void Packer::write(const KeptEvent& event) {
  const std::int64_t distance = before_ - event.time;
  const std::uint32_t bits = bits_of(event, distance);
  bytes_.number(bits);
  name(event.type);
  bytes_.number(static_cast<std::uint64_t>(distance / unit_of(bits)));
  if ((bits & kItem) != 0) hash(event.item);
  if ((bits & kSession) != 0) hash(event.session);
  if ((bits & kOrder) != 0) hash(event.order);
  if ((bits & kCategory) != 0) name(event.category);
  if ((bits & kBrand) != 0) name(event.brand);
  if ((bits & kChannel) != 0) name(event.channel);
  if ((bits & kQuery) != 0) name(event.query);
  if ((bits & kCurrency) != 0) name(event.currency);
  if ((bits & kValue) != 0) bytes_.money(event.value);
  if ((bits & kPrice) != 0) bytes_.money(event.price);
  if ((bits & kQuantity) != 0) bytes_.signed_number(event.quantity);
  if ((bits & kDwell) != 0) bytes_.signed_number(event.dwell);
  if ((bits & kTags) != 0) {
    bytes_.number(event.tags.size());
    for (const std::int32_t tag : event.tags) name(tag);
  }
}
// NOLINTEND(bugprone-signed-bitwise)

void Packer::end_event(std::int64_t time, bool purchase, bool tagged) {
  const std::size_t end = fits_ ? bytes_.all.size() : kNoEnd;
  events_.push_back({end, time, purchase, tagged});
  fits_ = fits_ && kHeader + end <= limit_;
  before_ = time;
}

std::int32_t Packer::place_of(std::string_view text) const {
  for (std::size_t code = 0; code < names_.size(); ++code)
    if (name_places_[code] >= 0 && names_[code] == text) return name_places_[code];
  return -1;
}

void Packer::name(std::int32_t& place, std::string_view text) {
  if (place >= 0) return bytes_.number(static_cast<std::uint64_t>(place));
  place = n_names_++;
  bytes_.number(static_cast<std::uint64_t>(place));
  bytes_.number(text.size());
  bytes_.all.insert(bytes_.all.end(), text.begin(), text.end());
}

void Packer::hash(std::int32_t& place, std::uint64_t hash) {
  if (place >= 0) return bytes_.number(static_cast<std::uint64_t>(place));
  place = static_cast<std::int32_t>(hashes_.size());
  bytes_.number(hashes_.size());
  bytes_.whole(hash);
  hashes_.push_back(hash);
}

void Packer::hash(std::uint64_t value) {
  // The newest first: a session's or order's events follow one another.
  const auto found = std::find(hashes_.rbegin(), hashes_.rend(), value);
  auto place = static_cast<std::int32_t>(hashes_.rend() - found) - 1;
  hash(place, value);
}

std::vector<std::uint8_t> Packer::record(std::int64_t left_out, KeptPurchases purchases) const {
  const auto fits = [&](const Event& event, std::size_t beside) {
    return event.end != kNoEnd && kHeader + beside + event.end <= limit_;
  };
  auto end = std::find_if_not(events_.begin(), events_.end(), [&](const Event& event) { return fits(event, 0); });
  const auto leave_out = [&] {
    for (auto event = end; event != events_.end(); ++event) {
      left_out = std::max(left_out, event->time);
      if (event->purchase) purchases.add(event->time);
    }
  };
  leave_out();
  std::vector<std::uint8_t> packed_purchases;
  if (!purchases.empty() && limit_ >= kLeastForPurchases) {
    const std::size_t room = std::min(kMostPurchaseBytes, limit_ / kPurchaseShare);
    // One event stays: without any nobody would know what was left out.
    while (end - events_.begin() > 1 && !fits(end[-1], room)) --end;
    leave_out();
    if (end != events_.begin() && fits(end[-1], room)) packed_purchases = purchases.pack(room);
  }
  if (end == events_.begin()) return {};
  const bool tagged = std::any_of(events_.begin(), end, [](const Event& event) { return event.tagged; });
  const std::span<const std::uint8_t> bytes = std::span(bytes_.all).first(end[-1].end);
  Bytes out(kHeader + packed_purchases.size() + bytes.size());
  out.put(!packed_purchases.empty() ? kPurchases : tagged ? kTagged : kPlain);
  out.whole(static_cast<std::uint64_t>(left_out));
  out.whole(static_cast<std::uint64_t>(newest_));
  out.all.insert(out.all.end(), packed_purchases.begin(), packed_purchases.end());
  out.all.insert(out.all.end(), bytes.begin(), bytes.end());
  return std::move(out.all);
}

}  // namespace recocore::kept
