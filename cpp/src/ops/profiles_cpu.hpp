#pragma once

#include <span>
#include <vector>

#include "ops/profiles/canonical.hpp"
#include "recocore/profiles.hpp"

namespace recocore::cpu {

/// Where the events of users come from.
class UserEvents {
 public:
  virtual ~UserEvents() = default;

  /// A user's canonical events; valid until `scratch` changes. Called by several threads, each for users of its own.
  virtual std::span<const ProfileEvent> of(std::int64_t user, Canonical& canonical,
                                           std::vector<ProfileEvent>& scratch) = 0;
};

/// Columns with a place for each of `users` users, their lists empty.
[[nodiscard]] ProfileColumns columns_for(const ProfilePlan& plan, std::int64_t users);

/// One row of a batch.
[[nodiscard]] ProfileEvent event_of(const ProfileBatch& batch, std::size_t row);

/// Profiles of a batch, whose arguments are checked.
[[nodiscard]] ProfileColumns profile_batch_cpu(const ProfileBatch& batch, const ProfilePlan& plan,
                                               const ProfileVocabularies& vocabularies,
                                               std::span<const std::int32_t> user_zones, PriceOffers& offers,
                                               bool fit_offers, const Execution& execution);

/// Profiles of `users` users whose events come from anywhere.
[[nodiscard]] ProfileColumns profile_users_cpu(UserEvents& events, std::int64_t users, const ProfilePlan& plan,
                                               const ProfileVocabularies& vocabularies,
                                               std::span<const std::int32_t> user_zones, PriceOffers& offers,
                                               bool fit_offers, const Execution& execution);

}  // namespace recocore::cpu
