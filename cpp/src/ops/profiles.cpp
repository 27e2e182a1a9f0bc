// Checks the arguments of recocore/profiles.hpp and hands them on.
#include "recocore/profiles.hpp"

#include <string>

#include "ops/profiles/checks.hpp"
#include "ops/profiles_cpu.hpp"
#include "recocore/error.hpp"
#include "recocore/name_sets.hpp"

namespace recocore {

ProfileColumns profile_batch(const ProfileBatch& batch, const ProfilePlan& plan,
                             const ProfileVocabularies& vocabularies, std::span<const std::int32_t> user_zones,
                             PriceOffers& offers, bool fit_offers, const Execution& execution) {
  cpu::check_plan(plan, user_zones, batch.n_users);
  cpu::check_batch(batch, plan.types(), vocabularies);
  cpu::check_offers(offers);
  require(plan.tags < 0 ||
              (vocabularies.tags != nullptr &&
               vocabularies.tags->size() >= vocabularies.dimensions[static_cast<std::size_t>(plan.tags)]->size()),
          [] { return std::string("tags: expected the members of every set of the dimension"); });
  return cpu::profile_batch_cpu(batch, plan, vocabularies, user_zones, offers, fit_offers, execution);
}

}  // namespace recocore
