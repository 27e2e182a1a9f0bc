// One order and one copy of each event, whatever order and however often they came.
#pragma once

#include <span>
#include <vector>

#include "ops/profiles/stamped_map.hpp"
#include "recocore/profiles.hpp"

namespace recocore::cpu {

/// Puts events in canonical order and drops repeats.
class Canonical {
 public:
  Canonical(const ProfileVocabularies& vocabularies, int dimensions)
      : vocabularies_(vocabularies), dimensions_(dimensions) {}

  /// Sorts a user's events by time, then by everything that they say (names by their hashes, as codes depend on who
  /// came first); of those with one id keeps the one that was known first, among these the first in order. Events that
  /// were known after `known_by` go before. Returns those that are left, valid until the next call.
  ///
  /// Events of one moment may stay as they are where no profile can tell: of one type and path, without ids and prices,
  /// such as the lines of an invoice. What else a profile says of them are counts, whole sums and sets.
  std::span<ProfileEvent> apply(std::span<ProfileEvent> events, std::int64_t known_by);

 private:
  struct Place {
    std::int64_t time;
    std::uint64_t kind;  // of tie_key()
    std::size_t at;
  };

  [[nodiscard]] bool in_order(std::span<const ProfileEvent> events) const;
  [[nodiscard]] bool before_in_tie(const ProfileEvent& a, const ProfileEvent& b) const;
  std::span<ProfileEvent> sort(std::span<const ProfileEvent> events);
  std::span<ProfileEvent> without_repeats(std::span<ProfileEvent> events);

  ProfileVocabularies vocabularies_;
  int dimensions_;
  std::vector<Place> order_;
  std::vector<ProfileEvent> sorted_;
  StampedMap seen_;
  std::vector<std::uint8_t> dropped_;
};

}  // namespace recocore::cpu
