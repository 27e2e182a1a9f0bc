// What is known of a user, as the bytes that a state keeps: events are taken in without decoding them for anybody.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace recocore {

/// Where the values of a row are that a record takes in: places in the MessagePack array of an event.
struct RecordedPlaces {
  std::size_t time, type, item, session, order, value, price, currency, quantity, dwell, query, coupon, category, brand,
      channel, tags;
};

/// How records are kept.
struct RecordBounds {
  std::size_t recent = 50;                          ///< newest events with an item
  std::size_t seen = 200;                           ///< items bought
  std::size_t profile_bytes = 1'024;                ///< of what profiles need; 0 leaves that as it is
  std::unordered_map<std::string, double> weights;  ///< by type, 0 for others
  std::unordered_set<std::string> seen_types;       ///< those that put an item on the list of items bought
  std::string purpose;                              ///< without consent to this nothing is kept for profiles
};

/// Takes events into records.
///
/// A record is a MessagePack array: version; items bought, joined by NUL, and their times (little-endian int64); items,
/// types, times and weights (little-endian doubles) of the newest events; answers by purpose; what profiles need of the
/// newest events (KeptEvents), where there is any; and whatever stands behind these, which is kept as it is. Both lists
/// are in the order of time, what is equally old in that of arrival, and keep what is newest.
class UserRecords {
 public:
  /// Throws Error{invalid_argument} where a bound is 0, that of profiles apart, or a place beyond 63.
  UserRecords(RecordBounds bounds, const RecordedPlaces& places);

  /// A record with events taken in and another version; an empty one begins anew. `rows` are events as the log keeps
  /// them: MessagePack arrays. Such without an item are taken in for profiles alone. O(size of the record).
  ///
  /// Throws Error{corrupt} where the bytes are no record, or no events.
  [[nodiscard]] std::string add(std::string_view record, std::uint64_t version,
                                std::span<const std::string_view> rows) const;

 private:
  RecordBounds bounds_;
  RecordedPlaces places_;
};

}  // namespace recocore
