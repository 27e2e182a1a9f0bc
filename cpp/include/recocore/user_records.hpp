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

/// An event with an item, as a record takes it in.
struct RecordedEvent {
  std::string_view item;
  std::string_view type;
  std::int64_t time = 0;  // microseconds since 1970
};

/// Takes events into records.
///
/// A record is a MessagePack array: version; items bought, joined by NUL, and their times (little-endian int64); items,
/// types, times and weights (little-endian doubles) of the newest events; answers by purpose; and whatever stands
/// behind these, which is kept as it is. Both lists are in the order of time, what is equally old in that of arrival,
/// and keep what is newest.
class UserRecords {
 public:
  /// Weights by type, 0 for others; types of `seen` put an item on the list of items bought.
  ///
  /// Throws Error{invalid_argument} where a bound is below 1.
  UserRecords(std::int64_t max_recent, std::int64_t max_seen, std::unordered_map<std::string, double> weights,
              std::unordered_set<std::string> seen);

  /// A record with events taken in and another version; an empty one begins anew. O(max_recent + max_seen).
  ///
  /// Throws Error{corrupt} where the bytes are no record.
  [[nodiscard]] std::string add(std::string_view record, std::uint64_t version,
                                std::span<const RecordedEvent> events) const;

 private:
  std::size_t max_recent_, max_seen_;
  std::unordered_map<std::string, double> weights_;
  std::unordered_set<std::string> seen_;
};

}  // namespace recocore
