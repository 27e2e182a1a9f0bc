// All features of one user in one pass over canonical events.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "ops/profiles/decay.hpp"
#include "ops/profiles/offers.hpp"
#include "ops/profiles/stamped_map.hpp"
#include "ops/profiles/zone_clock.hpp"
#include "recocore/profile_reader.hpp"
#include "recocore/profiles.hpp"

namespace recocore::cpu {

/// Sums by code; emptied in constant time.
class CodeSums {
 public:
  struct Entry {
    double weight;
    std::int32_t code;
  };

  /// Room for this many codes; there may be more than before.
  void resize(std::int32_t codes) { slots_.resize(static_cast<std::size_t>(codes)); }
  void clear() { entries_.clear(); }
  void add(std::int32_t code, double weight) {
    std::int32_t& slot = slots_[static_cast<std::size_t>(code)];
    const auto at = static_cast<std::size_t>(slot);
    if (at < entries_.size() && entries_[at].code == code) {
      entries_[at].weight += weight;
    } else {
      slot = static_cast<std::int32_t>(entries_.size());
      entries_.push_back({weight, code});
    }
  }
  /// In the order in which the codes came; may be reordered until clear().
  [[nodiscard]] std::span<Entry> entries() noexcept { return entries_; }

 private:
  std::vector<std::int32_t> slots_;
  std::vector<Entry> entries_;
};

/// The hours of the users of one block, in their order.
struct HourBlock {
  std::vector<std::int64_t> sizes;
  std::vector<std::int32_t> hours;
  std::vector<std::int64_t> counts;
};

/// What a thread needs to compute profiles, one user after another.
class UserPass {
 public:
  UserPass(const ProfilePlan& plan, const ProfileVocabularies& vocabularies, const PricePlaces& places);

  /// Writes the profile of user `user`, whose canonical events these are, into the columns and its hours to the block's
  /// end. `earlier` are moments of purchases, ascending, of which nothing else is known: they count for the days of
  /// purchases and for the first one.
  void run(std::span<const ProfileEvent> events, std::int32_t zone, std::int64_t user, ProfileColumns& columns,
           HourBlock& hours, std::span<const std::int64_t> earlier = {});

 private:
  struct Session {
    std::int64_t first;
    std::int64_t last;
    std::int64_t events;
    std::int32_t path;
  };
  struct Counted {
    std::int64_t count;
    std::int32_t first;
    std::int32_t second;
  };

  [[nodiscard]] const Vocabulary& interest_names(std::size_t dimension) const;
  void clear(std::size_t events);
  void decay_all(std::span<const ProfileEvent> events);
  void take(const ProfileEvent& event, const double* decays);
  void take_day(std::int64_t local);
  void take_session(const ProfileEvent& event);
  void take_interests(const ProfileEvent& event, bool bought, const double* decays);
  void take_purchase(const ProfileEvent& event);
  std::int64_t& bought_day();
  void take_discount(const ProfileEvent& event);
  void take_refund(const ProfileEvent& event);
  void take_activity(std::int64_t time);
  void take_spend(std::int64_t time, std::int64_t money, double decay);
  void finish_spend();
  void finish_sessions();
  void finish_gaps();
  void finish_days(std::span<const std::int64_t> earlier);
  void add_earlier_days(std::span<const std::int64_t> earlier);
  [[nodiscard]] std::int64_t lifecycle() const;
  void write(std::int64_t user, ProfileColumns& columns);
  void write_interest(CodeSums& sums, const Vocabulary* names, std::int64_t user, ProfileInterests& out) const;
  void write_counted(std::int64_t user, ProfileColumns& columns);
  void write_hours(HourBlock& hours);

  std::int64_t& integer(ProfileInteger field) { return integers_[static_cast<std::size_t>(field)]; }
  [[nodiscard]] std::int64_t integer(ProfileInteger field) const { return integers_[static_cast<std::size_t>(field)]; }
  double& real(ProfileReal field) { return reals_[static_cast<std::size_t>(field)]; }

  const ProfilePlan& plan_;
  const ProfileVocabularies& vocabularies_;
  const PricePlaces& places_;

  // One decay for each event and distinct half-life.
  std::vector<double> lives_;
  std::vector<std::size_t> life_of_;
  std::vector<double> decays_;
  Decay decay_;
  std::int64_t spend_ = 0;  // net, of the moment spent_at_
  std::int64_t spent_at_ = kNone;
  double spend_decay_ = 0.0;

  ZoneClock clock_;
  std::int64_t day_ = 0;
  std::int64_t hour_begin_ = -kDay;  // of the local hour that was looked at last, of which the others are
  std::size_t hour_ = 48;
  std::int64_t hour_day_ = -1;
  std::array<std::int64_t, kProfileIntegers.size()> integers_{};
  std::array<double, kProfileReals.size()> reals_{};
  std::vector<std::int64_t> type_counts_;
  std::array<std::int64_t, 168> hours_{};
  std::array<std::uint64_t, 3> hours_in_use_{};  // a bit an hour
  std::array<CodeSums, kMaxDimensions> sums_;
  CodeSums bands_;
  StampedMap items_, days_, sessions_by_id_, steps_seen_, orders_, terms_seen_;
  std::vector<Session> sessions_;
  std::uint64_t session_id_ = 0;
  std::size_t session_ = 0;   // of session_id_
  std::int64_t silent_ = -1;  // the open session of events without an id
  std::vector<Counted> steps_, terms_;
  std::vector<std::int64_t> order_times_;
  std::vector<double> gaps_;
  std::vector<std::pair<std::int64_t, std::int64_t>> bought_days_;  // day, money; ascending
  double percentiles_ = 0.0;
  std::int64_t placed_ = 0;
  std::int64_t first_active_ = kNone, last_active_ = kNone;
  std::int64_t first_inside_ = kNone, last_outside_ = kNone;  // of the interval that ends at as_of
};

/// The profile of one user, whose canonical events these are, in the plan's first zone.
[[nodiscard]] ProfileRow read_one(UserPass& pass, std::span<const ProfileEvent> events, const ProfilePlan& plan,
                                  const SendRule& rule, std::span<const std::int64_t> earlier = {});

}  // namespace recocore::cpu
