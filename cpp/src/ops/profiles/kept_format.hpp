// How kept events are packed.
//
// One byte of format, eight of the time of what was left out, eight of the newest time, the purchases that were left
// out in the format that has them, then the events from the newest on. Each begins with its bits, and refers to names
// and hashes by their places: a place that is not taken yet is followed by what it stands for. So the size of an event
// depends on newer ones alone, and packing ends where it is full.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "recocore/error.hpp"
#include "recocore/kept_events.hpp"

// Packed bits, shifts and masks of small non-negative numbers: their operands are signed throughout.
// NOLINTBEGIN(bugprone-signed-bitwise)

namespace recocore::kept {

static_assert(std::endian::native == std::endian::little, "records are little-endian");

// The format of events without tags, which versions that know of none read too, that of all, and that of all where
// purchases were left out.
inline constexpr std::uint8_t kPlain = 1;
inline constexpr std::uint8_t kTagged = 2;
inline constexpr std::uint8_t kPurchases = 3;
inline constexpr std::string_view kPurchaseType = "buy";
inline constexpr std::size_t kHeader = 17;
// No event takes less than 4 bytes, and few less than 12; a name or a hash comes with eight or more.
inline constexpr std::size_t kBytesOfEvent = 12;
inline constexpr std::size_t kBytesOfHash = 16;
inline constexpr std::int64_t kMillisecond = 1'000;
inline constexpr std::int64_t kSecond = 1'000'000;

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
inline constexpr std::uint64_t kRaw = 7;
inline constexpr std::array<double, kRaw> kPowers{1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};

[[noreturn]] inline void refuse(const char* what) {
  throw Error(ErrorCode::corrupt, std::string("kept events: ") + what);
}

inline std::int64_t signed_of(std::uint64_t coded) {
  return static_cast<std::int64_t>(coded >> 1 ^ (~(coded & 1) + 1));
}

/// Whether money comes as the eight bytes that follow.
inline bool is_raw(std::uint64_t coded) {
  return (coded & 7) == kRaw;
}

inline double money_of(std::uint64_t coded) {
  return static_cast<double>(signed_of(coded >> 3)) / kPowers[coded & 7];
}

class Bytes {
 public:
  explicit Bytes(std::size_t expected = 0) { all.reserve(expected); }

  void put(std::uint8_t byte) { all.push_back(byte); }
  void number(std::uint64_t number) {
    for (; number >= 128; number >>= 7) put(static_cast<std::uint8_t>(number | 128));
    put(static_cast<std::uint8_t>(number));
  }
  void signed_number(std::int64_t value) {
    number(static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63));
  }
  void whole(std::uint64_t bits) {
    std::array<std::uint8_t, 8> bytes;
    std::memcpy(bytes.data(), &bits, bytes.size());
    all.insert(all.end(), bytes.begin(), bytes.end());
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
  std::uint8_t byte() {
    if (left_.empty()) refuse("expected more bytes, got the end");
    const std::uint8_t next = left_.front();
    left_ = left_.subspan(1);
    return next;
  }
  std::uint64_t number() {
    // Most numbers are places of a few names and hashes.
    if (!left_.empty() && left_.front() < 128) return byte();
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
    std::memcpy(&bits, take(sizeof bits).data(), sizeof bits);
    return bits;
  }
  double money() {
    const std::uint64_t coded = number();
    return is_raw(coded) ? std::bit_cast<double>(whole()) : money_of(coded);
  }
  std::span<const std::uint8_t> take(std::size_t count) {
    if (count > left_.size()) refuse("expected more bytes, got the end");
    const auto taken = left_.first(count);
    left_ = left_.subspan(count);
    return taken;
  }

 private:
  std::span<const std::uint8_t> left_;
};

/// What stands before the events of a record.
struct Head {
  std::int64_t left_out;
  std::int64_t newest;
  KeptPurchases purchases;
};

inline Head read_head(Reader& reader) {
  const std::uint8_t format = reader.byte();
  if (format < kPlain || format > kPurchases)
    refuse("expected format 1, 2 or 3; read it with the version that wrote it");
  Head head{static_cast<std::int64_t>(reader.whole()), static_cast<std::int64_t>(reader.whole()), {}};
  if (format == kPurchases) reader.take(head.purchases.unpack(reader.left()));
  return head;
}

/// The unit in which a distance of times is told.
inline std::uint32_t unit_bits_of(std::int64_t distance) {
  if (distance == 0) return 0;
  if (distance % kSecond == 0) return kSeconds;
  return distance % kMillisecond == 0 ? std::uint32_t{kMilliseconds} : 0;
}

inline std::uint32_t bits_of(const KeptEvent& event, std::int64_t distance) {
  std::uint32_t bits = unit_bits_of(distance);
  const auto set = [&bits](bool present, std::uint32_t bit) { bits |= present ? bit : 0; };
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

inline std::int64_t unit_of(std::uint32_t bits) {
  return (bits & kSeconds) != 0 ? kSecond : (bits & kMilliseconds) != 0 ? kMillisecond : 1;
}

/// Whether an event of this type and value is a purchase.
inline bool is_purchase(std::string_view type, double value) {
  return type == kPurchaseType && !(value < 0.0);
}

/// Writes events one by one, from the newest on, as long as they fit into a record.
class Packer {
 public:
  /// `expected` bytes of events or so are going to be written.
  Packer(std::span<const std::string> names, std::int64_t newest, std::size_t limit, std::size_t expected)
      : names_(names),
        name_places_(names.size(), -1),
        newest_(newest),
        before_(newest),
        limit_(limit),
        bytes_(expected) {
    hashes_.reserve(expected / kBytesOfHash);
    events_.reserve(expected / kBytesOfEvent);
  }

  void add(const KeptEvent& event) {
    if (fits_) write(event);
    end_event(event.time, is_purchase(names_[static_cast<std::size_t>(event.type)], event.value), !event.tags.empty());
  }

  // What writes events that somebody else reads, as long as they fit: each ends with end_event().
  [[nodiscard]] bool fits() const noexcept { return fits_; }
  [[nodiscard]] std::int64_t before() const noexcept { return before_; }
  [[nodiscard]] Bytes& bytes() noexcept { return bytes_; }
  [[nodiscard]] std::span<const std::uint64_t> hashes() const noexcept { return hashes_; }
  void end_event(std::int64_t time, bool purchase, bool tagged);

  /// The place of a name of `names` that is written already, else -1.
  [[nodiscard]] std::int32_t place_of(std::string_view text) const;

  /// Writes a name whose place, -1 where it has none yet, the caller keeps; and a hash alike.
  void name(std::int32_t& place, std::string_view text);
  void hash(std::int32_t& place, std::uint64_t hash);

  /// The record of what fits: all events that are not too old have been added. What is left out comes to `left_out` and
  /// `purchases`.
  [[nodiscard]] std::vector<std::uint8_t> record(std::int64_t left_out, KeptPurchases purchases) const;

 private:
  struct Event {
    std::size_t end;  // of its bytes; what comes after one that does not fit is not written, and has no end
    std::int64_t time;
    bool purchase;
    bool tagged;
  };

  void write(const KeptEvent& event);
  void name(std::int32_t code) {
    const auto at = static_cast<std::size_t>(code);
    name(name_places_[at], names_[at]);
  }
  void hash(std::uint64_t hash);

  std::span<const std::string> names_;
  std::vector<std::int32_t> name_places_;  // -1 where not written yet
  std::int32_t n_names_ = 0;
  std::vector<std::uint64_t> hashes_;  // by their places
  std::int64_t newest_;
  std::int64_t before_;
  std::size_t limit_;
  bool fits_ = true;
  Bytes bytes_;
  std::vector<Event> events_;
};

/// Adds the events of a record, of which the newest happened at `newest` and none is newer than what was added before;
/// those before 1970 are too old.
void rewrite_events(Reader& older, std::int64_t newest, Packer& packer);

// NOLINTEND(bugprone-signed-bitwise)

}  // namespace recocore::kept
