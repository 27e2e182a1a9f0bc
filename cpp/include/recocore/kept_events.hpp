// What a user's record keeps of their events for profiles: the newest that fit into a bound of bytes, with the names
// they use.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "recocore/profiles.hpp"

namespace recocore {

/// One event; names are places in KeptEvents::names, -1 where absent, what is only compared is a hash, 0 where absent.
struct KeptEvent {
  std::int64_t time = 0;  // microseconds since 1970
  std::int32_t type = -1;
  std::int32_t category = -1;
  std::int32_t brand = -1;
  std::int32_t channel = -1;
  std::int32_t query = -1;
  std::int32_t currency = -1;
  bool coupon = false;
  std::uint64_t item = 0;
  std::uint64_t session = 0;
  std::uint64_t order = 0;
  double value = std::numeric_limits<double>::quiet_NaN();  // money, NaN where absent
  double price = std::numeric_limits<double>::quiet_NaN();
  std::int64_t quantity = kNone;
  std::int64_t dwell = kNone;  // milliseconds
  std::vector<std::int32_t> tags;
};

/// The purchases that were left out of a record for want of room: what recency, frequency and age need of them.
///
/// A purchase is an event of the type `buy` whose value is not negative. As many moments as there is room for are kept
/// to a quarter of an hour, which no time zone divides, of each day of UTC the first and the last: more cannot change
/// on which local days there was a purchase. Where there are too many, the newest and the very first are kept.
class KeptPurchases {
 public:
  void add(std::int64_t time);
  void merge(const KeptPurchases& other);
  /// Forgets what happened before a time.
  void drop_before(std::int64_t time);

  [[nodiscard]] bool empty() const noexcept { return first_ == kNone; }
  /// Ascending: the first to the microsecond, others begin the quarter of an hour.
  [[nodiscard]] std::vector<std::int64_t> moments() const;

  /// At most `limit` bytes, at least those of the first moment.
  [[nodiscard]] std::vector<std::uint8_t> pack(std::size_t limit) const;
  /// Takes what pack() wrote from the beginning of some bytes; returns how many that were.
  std::size_t unpack(std::span<const std::uint8_t> packed);

 private:
  std::int64_t first_ = kNone;
  std::vector<std::int64_t> quarters_;  // since 1970, ascending
};

/// A user's events, oldest first; what is equally old stands in the order in which it was added.
///
/// It depends on no configuration: names are kept as they are, money as float64. Packed, a view takes some 12 bytes and
/// a purchase 20, and each distinct item, session or order 8 more.
class KeptEvents {
 public:
  KeptEvents() = default;

  /// Reads what pack() wrote; no bytes are no events.
  ///
  /// \throws Error{corrupt} where these are not such bytes.
  static KeptEvents unpack(std::span<const std::uint8_t> packed);

  /// The place of a name, a new one where it is not known; names longer than 100 bytes are cut at a character of UTF-8.
  std::int32_t intern(std::string_view name);

  /// Adds events, whose names were interned. O(n log n) of all.
  void add(std::span<const KeptEvent> events);

  /// Adds what another holds.
  void merge(const KeptEvents& other);

  /// The newest events that fit into `limit` bytes and did not happen before `cutoff`; where purchases are left out, an
  /// eighth of the bytes, 128 at most, is for these. Packing and adding in turns gives what adding everything at once
  /// does.
  [[nodiscard]] std::vector<std::uint8_t> pack(std::size_t limit, std::int64_t cutoff) const;

  /// What pack(limit, 0) gives of packed events to which these were merged. Where these are the newer ones, as they
  /// mostly are, the others are copied instead of read: a view is added to a full record in 6 us instead of 14.
  ///
  /// \throws Error{corrupt} where those are not such bytes.
  [[nodiscard]] std::vector<std::uint8_t> pack_onto(std::span<const std::uint8_t> packed, std::size_t limit) const;

  [[nodiscard]] std::span<const KeptEvent> events() const noexcept { return events_; }
  [[nodiscard]] std::span<const std::string> names() const noexcept { return names_; }
  /// The time of the newest event that was left out for want of room, kNone where none was. What is older is never
  /// kept.
  [[nodiscard]] std::int64_t left_out() const noexcept { return left_out_; }
  /// The purchases among what was left out.
  [[nodiscard]] const KeptPurchases& purchases() const noexcept { return purchases_; }

 private:
  [[nodiscard]] bool is_purchase(const KeptEvent& event) const;

  std::vector<KeptEvent> events_;
  std::vector<std::string> names_;
  std::int64_t left_out_ = kNone;
  KeptPurchases purchases_;
};

}  // namespace recocore
