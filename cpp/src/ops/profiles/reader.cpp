#include "recocore/profile_reader.hpp"

#include <string>
#include <utility>

#include "ops/profiles/canonical.hpp"
#include "ops/profiles/checks.hpp"
#include "ops/profiles/offers.hpp"
#include "ops/profiles/user_pass.hpp"
#include "ops/profiles_cpu.hpp"
#include "recocore/error.hpp"

namespace recocore {

ProfileRow cpu::read_one(UserPass& pass, std::span<const ProfileEvent> events, const ProfilePlan& plan,
                         const SendRule& rule, std::span<const std::int64_t> earlier) {
  ProfileRow row{columns_for(plan, 1)};
  HourBlock hours;
  pass.run(events, 0, 0, row.columns, hours, earlier);
  row.columns.hour_begins = {0, std::ssize(hours.hours)};
  row.columns.hours = std::move(hours.hours);
  row.columns.hour_counts = std::move(hours.counts);
  send_windows(row.columns.hour_begins, row.columns.hours, row.columns.hour_counts, rule, {&row.send_hour, 1},
               {&row.send_share, 1}, Execution{.num_threads = 1});
  return row;
}

struct ProfileReader::Impl {
  Impl(const ProfileLog& log_, const ProfilePlan& plan_, PriceOffers offers_, const SendRule& rule_)
      : log(log_),
        plan(plan_),
        offers(std::move(offers_)),
        rule(rule_),
        vocabularies(log_.vocabularies()),
        places(offers),
        canonical(vocabularies, plan.dimensions),
        pass(plan, vocabularies, places) {}

  const ProfileLog& log;
  ProfilePlan plan;
  PriceOffers offers;
  SendRule rule;
  ProfileVocabularies vocabularies;
  cpu::PricePlaces places;
  cpu::Canonical canonical;
  cpu::UserPass pass;
  std::vector<ProfileEvent> events;
};

ProfileReader::ProfileReader(const ProfileLog& log, const ProfilePlan& plan, PriceOffers offers, const SendRule& rule) {
  cpu::check_plan(plan, {}, 0);
  cpu::check_offers(offers);
  log.check(plan);
  impl_ = std::make_unique<Impl>(log, plan, std::move(offers), rule);
}

ProfileReader::~ProfileReader() = default;

ProfileRow ProfileReader::read(std::int32_t user, std::int64_t as_of) {
  impl_->plan.as_of = as_of;
  cpu::check_plan(impl_->plan, {}, 0);
  impl_->log.read(user, impl_->events);
  return cpu::read_one(impl_->pass, impl_->canonical.apply(impl_->events, as_of), impl_->plan, impl_->rule);
}

}  // namespace recocore
