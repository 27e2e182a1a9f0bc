// Packed bits, shifts and masks of small non-negative numbers: their operands are signed throughout.
// NOLINTBEGIN(bugprone-signed-bitwise)

// One byte of format, eight of the time of what was left out, eight of the newest time, the purchases that were left
// out in the format that has them, then the events from the newest on. Each begins with its bits, and refers to names
// and hashes by their places: a place that is not taken yet is followed by what it stands for. So the size of an event
// depends on newer ones alone, and packing ends where it is full.
#include "recocore/kept_events.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <iterator>
#include <utility>

#include "recocore/error.hpp"

namespace recocore {
namespace {

// The format of events without tags, which versions that know of none read too, that of all, and that of all where
// purchases were left out.
constexpr std::uint8_t kPlain = 1;
constexpr std::uint8_t kTagged = 2;
constexpr std::uint8_t kPurchases = 3;
// Of the bytes of a record: some sixty purchase days, beside the events that have the rest.
constexpr std::size_t kPurchaseShare = 8;
constexpr std::size_t kMostPurchaseBytes = 128;
// Records with less room than that keep events alone.
constexpr std::size_t kLeastForPurchases = 256;
constexpr std::string_view kPurchaseType = "buy";
constexpr std::size_t kHeader = 17;
constexpr std::size_t kLongestName = 100;
constexpr std::int64_t kMillisecond = 1'000;
constexpr std::int64_t kSecond = 1'000'000;

enum Bit : std::uint32_t {
  kMilliseconds = 1U << 0,  // the distance of times in these
  kSeconds = 1U << 1,
  kItem = 1U << 2,
  kSession = 1U << 3,
  kCategory = 1U << 4,
  kValue = 1U << 5,
  kPrice = 1U << 6,
  kOrder = 1U << 7,
  kCurrency = 1U << 8,
  kQuantity = 1U << 9,
  kBrand = 1U << 10,
  kChannel = 1U << 11,
  kDwell = 1U << 12,
  kQuery = 1U << 13,
  kCoupon = 1U << 14,
  kTags = 1U << 15,
};

// A number of money is a decimal of at most so many places, or the eight bytes of its float64.
constexpr std::uint64_t kRaw = 7;
constexpr std::array<double, kRaw> kPowers{1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};

[[noreturn]] void refuse(const char* what) {
  throw Error(ErrorCode::corrupt, std::string("kept events: ") + what);
}

class Bytes {
 public:
  void put(std::uint8_t byte) { all.push_back(byte); }
  void number(std::uint64_t number) {
    for (; number >= 128; number >>= 7) put(static_cast<std::uint8_t>(number | 128));
    put(static_cast<std::uint8_t>(number));
  }
  void signed_number(std::int64_t value) {
    number(static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63));
  }
  void whole(std::uint64_t bits) {
    for (int i = 0; i < 8; ++i) put(static_cast<std::uint8_t>(bits >> (8 * i)));
  }
  void money(double value) {
    // What is a decimal of fewer places is one of six too, as long as that is exact: most others are known by one look.
    const double most = std::nearbyint(value * kPowers.back());
    if (std::abs(most) <= 0x1p50 && most / kPowers.back() != value) return raw(value);
    for (std::uint64_t places = 0; places < kRaw; ++places) {
      const double units = std::nearbyint(value * kPowers[places]);
      if (std::abs(units) > 0x1p50 || (units == 0.0 && std::signbit(value))) break;
      if (units / kPowers[places] != value) continue;
      const auto coded = static_cast<std::int64_t>(units);
      number((static_cast<std::uint64_t>(coded) << 1 ^ static_cast<std::uint64_t>(coded >> 63)) << 3 | places);
      return;
    }
    raw(value);
  }

  std::vector<std::uint8_t> all;

 private:
  void raw(double value) {
    number(kRaw);
    whole(std::bit_cast<std::uint64_t>(value));
  }
};

class Reader {
 public:
  explicit Reader(std::span<const std::uint8_t> packed) : left_(packed) {}

  [[nodiscard]] bool done() const noexcept { return left_.empty(); }
  [[nodiscard]] std::span<const std::uint8_t> left() const noexcept { return left_; }
  std::uint8_t byte() { return take(1).front(); }
  std::uint64_t number() {
    std::uint64_t number = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const std::uint8_t next = byte();
      number |= static_cast<std::uint64_t>(next & 127) << shift;
      if (next < 128) return number;
    }
    refuse("expected numbers of 64 bits, got a longer one");
  }
  std::int64_t signed_number() { return signed_of(number()); }
  std::uint64_t whole() {
    std::uint64_t bits = 0;
    int shift = 0;
    for (const std::uint8_t next : take(8)) {
      bits |= static_cast<std::uint64_t>(next) << shift;
      shift += 8;
    }
    return bits;
  }
  double money() {
    const std::uint64_t coded = number();
    const std::uint64_t places = coded & 7;
    if (places == kRaw) return std::bit_cast<double>(whole());
    return static_cast<double>(signed_of(coded >> 3)) / kPowers[places];
  }
  std::span<const std::uint8_t> take(std::size_t count) {
    if (count > left_.size()) refuse("expected more bytes, got the end");
    const auto taken = left_.first(count);
    left_ = left_.subspan(count);
    return taken;
  }

 private:
  static std::int64_t signed_of(std::uint64_t coded) {
    return static_cast<std::int64_t>(coded >> 1 ^ (~(coded & 1) + 1));
  }
  std::span<const std::uint8_t> left_;
};

std::uint32_t bits_of(const KeptEvent& event, std::int64_t distance) {
  std::uint32_t bits = 0;
  const auto set = [&bits](bool present, std::uint32_t bit) { bits |= present ? bit : 0; };
  set(distance != 0 && distance % kSecond == 0, kSeconds);
  set(distance != 0 && distance % kSecond != 0 && distance % kMillisecond == 0, kMilliseconds);
  set(event.item != 0, kItem);
  set(event.session != 0, kSession);
  set(event.order != 0, kOrder);
  set(event.category >= 0, kCategory);
  set(event.brand >= 0, kBrand);
  set(event.channel >= 0, kChannel);
  set(event.query >= 0, kQuery);
  set(event.currency >= 0, kCurrency);
  set(!std::isnan(event.value), kValue);
  set(!std::isnan(event.price), kPrice);
  set(event.quantity != kNone, kQuantity);
  set(event.dwell != kNone, kDwell);
  set(event.coupon, kCoupon);
  set(!event.tags.empty(), kTags);
  return bits;
}

std::int64_t unit_of(std::uint32_t bits) {
  return (bits & kSeconds) != 0 ? kSecond : (bits & kMilliseconds) != 0 ? kMillisecond : 1;
}

/// Writes events one by one, from the newest on.
class Packer {
 public:
  Packer(std::span<const std::string> names, std::int64_t newest)
      : names_(names), places_(names.size(), -1), before_(newest) {}

  void add(const KeptEvent& event) {
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
    before_ = event.time;
  }

  [[nodiscard]] std::size_t size() const noexcept { return bytes_.all.size(); }
  [[nodiscard]] std::span<const std::uint8_t> bytes() const noexcept { return bytes_.all; }

 private:
  void name(std::int32_t code) {
    std::int32_t& place = places_[static_cast<std::size_t>(code)];
    if (place >= 0) return bytes_.number(static_cast<std::uint64_t>(place));
    place = n_names_++;
    bytes_.number(static_cast<std::uint64_t>(place));
    const std::string& text = names_[static_cast<std::size_t>(code)];
    bytes_.number(text.size());
    bytes_.all.insert(bytes_.all.end(), text.begin(), text.end());
  }
  void hash(std::uint64_t hash) {
    // The newest first: a session's or order's events follow one another.
    const auto found = std::find(hashes_.rbegin(), hashes_.rend(), hash);
    if (found != hashes_.rend()) return bytes_.number(static_cast<std::uint64_t>(hashes_.rend() - found - 1));
    bytes_.number(hashes_.size());
    bytes_.whole(hash);
    hashes_.push_back(hash);
  }

  std::span<const std::string> names_;
  std::vector<std::int32_t> places_;  // of names, -1 where not written yet
  std::int32_t n_names_ = 0;
  std::vector<std::uint64_t> hashes_;
  std::int64_t before_;
  Bytes bytes_;
};

/// At most so many bytes of a text, whole characters of UTF-8.
std::string_view cut(std::string_view text) {
  if (text.size() <= kLongestName) return text;
  std::size_t end = kLongestName;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return text.substr(0, end);
}

}  // namespace

KeptEvents KeptEvents::unpack(std::span<const std::uint8_t> packed) {
  KeptEvents kept;
  if (packed.empty()) return kept;
  // No event takes less than 4 bytes, and few less than 12.
  kept.events_.reserve(packed.size() / 12 + 2);
  Reader reader(packed);
  const std::uint8_t format = reader.byte();
  if (format < kPlain || format > kPurchases)
    refuse("expected format 1, 2 or 3; read it with the version that wrote it");
  kept.left_out_ = static_cast<std::int64_t>(reader.whole());
  std::int64_t time = static_cast<std::int64_t>(reader.whole());
  if (format == kPurchases) reader.take(kept.purchases_.unpack(reader.left()));
  std::vector<std::uint64_t> hashes;
  hashes.reserve(packed.size() / 16);
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
  return names_[static_cast<std::size_t>(event.type)] == kPurchaseType && !(event.value < 0.0);
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
  const std::int64_t newest = events_.back().time;
  Packer packer(names_, newest);
  std::vector<std::size_t> sizes;  // of the newest event, of the two newest, ...
  for (auto event = events_.rbegin(); event != events_.rend() && event->time >= cutoff; ++event) {
    packer.add(*event);
    if (kHeader + packer.size() > limit) break;
    sizes.push_back(packer.size());
  }
  // What was left out before the cutoff would not be there anyway.
  std::int64_t left_out = left_out_ < cutoff ? kNone : left_out_;
  KeptPurchases purchases = purchases_;
  purchases.drop_before(cutoff);
  const auto leave_out = [&] {
    for (auto event = events_.rbegin() + std::ssize(sizes); event != events_.rend() && event->time >= cutoff; ++event) {
      left_out = std::max(left_out, event->time);
      if (is_purchase(*event)) purchases.add(event->time);
    }
  };
  leave_out();
  std::vector<std::uint8_t> packed_purchases;
  if (!purchases.empty() && limit >= kLeastForPurchases) {
    const std::size_t room = std::min(kMostPurchaseBytes, limit / kPurchaseShare);
    // One event stays: without any nobody would know what was left out.
    while (sizes.size() > 1 && kHeader + sizes.back() > limit - room) sizes.pop_back();
    leave_out();
    if (!sizes.empty() && kHeader + sizes.back() <= limit - room) packed_purchases = purchases.pack(room);
  }
  if (sizes.empty()) return {};
  const auto first = events_.rbegin();
  const bool tagged = std::any_of(first, first + std::ssize(sizes), [](const KeptEvent& e) { return !e.tags.empty(); });
  Bytes out;
  out.put(!packed_purchases.empty() ? kPurchases : tagged ? kTagged : kPlain);
  out.whole(static_cast<std::uint64_t>(left_out));
  out.whole(static_cast<std::uint64_t>(newest));
  out.all.insert(out.all.end(), packed_purchases.begin(), packed_purchases.end());
  const auto bytes = packer.bytes().first(sizes.back());
  out.all.insert(out.all.end(), bytes.begin(), bytes.end());
  return std::move(out.all);
}

}  // namespace recocore
// NOLINTEND(bugprone-signed-bitwise)
