// Checks the arguments of recocore/profiles.hpp and hands them on.
#include "recocore/profiles.hpp"

#include "ops/profiles/checks.hpp"
#include "ops/profiles_cpu.hpp"

namespace recocore {

ProfileColumns profile_batch(const ProfileBatch& batch, const ProfilePlan& plan,
                             const ProfileVocabularies& vocabularies, std::span<const std::int32_t> user_zones,
                             PriceOffers& offers, bool fit_offers, const Execution& execution) {
  cpu::check_plan(plan, user_zones, batch.n_users);
  cpu::check_batch(batch, plan.types(), vocabularies);
  cpu::check_offers(offers);
  return cpu::profile_batch_cpu(batch, plan, vocabularies, user_zones, offers, fit_offers, execution);
}

}  // namespace recocore
