// Packed bits, shifts and masks of small non-negative numbers: their operands are signed throughout.
// NOLINTBEGIN(bugprone-signed-bitwise)

#include "ops/profiles/user_pass.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <iterator>
#include <limits>
#include <string>
#include <utility>

#include "recocore/error.hpp"
#include "recocore/name_sets.hpp"

namespace recocore::cpu {
namespace {

using I = ProfileInteger;
using R = ProfileReal;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
// 1970-01-01 was a Thursday: that many hours after Monday 0:00.
constexpr std::int64_t kFirstHour = 72;

// The life cycle in the order of recocore.profiles.LIFECYCLE.
enum Life : std::int64_t { kNew, kActive, kReturning, kResurrected, kAtRisk, kDormant, kLost };

[[noreturn]] void too_much() {
  throw Error(
      ErrorCode::invalid_argument,
      "events: expected sums of money below 2**63 minor units for each user, got more; look at value and price");
}

void add_to(std::int64_t& sum, std::int64_t more) {
  if (__builtin_add_overflow(sum, more, &sum)) too_much();
}

/// Linear between the values in order, as numpy.quantile does by default.
double quantile(const std::vector<double>& sorted, double q) {
  const double place = static_cast<double>(sorted.size() - 1) * q;
  const auto low = static_cast<std::size_t>(place);
  const std::size_t high = std::min(low + 1, sorted.size() - 1);
  return sorted[low] + (place - static_cast<double>(low)) * (sorted[high] - sorted[low]);
}

/// Puts the first `listed` in order, and the others somewhere behind them.
template <typename T, typename Less>
void sort_first(std::span<T> entries, std::size_t listed, const Less& less) {
  constexpr std::size_t kFew = 16;
  if (listed > kFew)
    return std::partial_sort(entries.begin(), entries.begin() + static_cast<std::ptrdiff_t>(listed), entries.end(),
                             less);
  // Most entries are below the few, which one comparison tells.
  for (std::size_t i = 1; i < entries.size(); ++i) {
    std::size_t to = std::min(i, listed);
    if (to == listed) {
      if (listed == 0 || !less(entries[i], entries[listed - 1])) continue;
      std::swap(entries[i], entries[listed - 1]);
      --to;
    }
    const T moved = entries[to];
    for (; to > 0 && less(moved, entries[to - 1]); --to) entries[to] = entries[to - 1];
    entries[to] = moved;
  }
}

/// 2^exponent, of a normal number.
double power_of_two(int exponent) {
  return std::bit_cast<double>(static_cast<std::uint64_t>(1'023 + exponent) << 52U);
}

/// The sum of weights above 0, whatever order they stand in: of whole multiples of 2^-61 of the largest.
double sum_in_any_order(std::span<const CodeSums::Entry> entries) {
  double most = 0.0;
  for (const auto& entry : entries) most = std::max(most, entry.weight);
  if (most == 0.0 || std::isinf(most)) return most;
  constexpr int kBits = 61;
  // The smallest are lifted first: the unit's inverse would not be a number.
  const double lift = most < 0x1p-900 ? 0x1p200 : 1.0;
  // What is lifted is a normal number, and so are the unit and its inverse.
  const auto exponent = static_cast<int>(std::bit_cast<std::uint64_t>(most * lift) >> 52U) - 1'023;
  const int unit = exponent - kBits;
  const double units = power_of_two(-unit);
  __int128 sum = 0;
  for (const auto& entry : entries) sum += static_cast<std::int64_t>(entry.weight * lift * units);
  return static_cast<double>(sum) * power_of_two(unit) / lift;
}

}  // namespace

UserPass::UserPass(const ProfilePlan& plan, const ProfileVocabularies& vocabularies, const PricePlaces& places)
    : plan_(plan), vocabularies_(vocabularies), places_(places), type_counts_(plan.weights.size(), 0) {
  for (const double life : plan.half_lives) {
    const auto found = std::find(lives_.begin(), lives_.end(), life);
    life_of_.push_back(static_cast<std::size_t>(found - lives_.begin()));
    if (found == lives_.end()) lives_.push_back(life);
  }
  bands_.resize(plan.price_bands);
}

const Vocabulary& UserPass::interest_names(std::size_t dimension) const {
  return std::cmp_equal(dimension, plan_.tags) ? vocabularies_.tags->names() : *vocabularies_.dimensions[dimension];
}

void UserPass::clear(std::size_t events) {
  integers_.fill(0);
  for (const I field : {I::first_event, I::last_event, I::first_purchase, I::last_purchase, I::spend_min, I::spend_max,
                        I::lifecycle, I::btyd_days, I::btyd_recency, I::btyd_t})
    integer(field) = kNone;
  reals_.fill(kNaN);
  real(R::spend_decayed) = 0.0;
  std::fill(type_counts_.begin(), type_counts_.end(), 0);
  hours_.fill(0);
  hours_in_use_.fill(0);
  for (std::size_t d = 0; d < kMaxDimensions; ++d) {
    sums_[d].clear();
    sums_[d].resize(interest_names(d).size());
  }
  bands_.clear();
  for (StampedMap* map : {&items_, &days_, &sessions_by_id_, &orders_, &terms_seen_, &steps_seen_}) map->reset(events);
  sessions_.clear();
  session_id_ = 0;
  silent_ = -1;
  steps_.clear();
  terms_.clear();
  order_times_.clear();
  gaps_.clear();
  bought_days_.clear();
  percentiles_ = 0.0;
  placed_ = 0;
  first_active_ = last_active_ = first_inside_ = last_outside_ = kNone;
  day_ = kNone;
  spend_ = 0;
  spent_at_ = kNone;
}

void UserPass::run(std::span<const ProfileEvent> events, std::int32_t zone, std::int64_t user, ProfileColumns& columns,
                   HourBlock& hours, std::span<const std::int64_t> earlier) {
  clock_.set(plan_.zones[static_cast<std::size_t>(zone)]);
  const auto early = [](const ProfileEvent& event, std::int64_t time) { return event.time < time; };
  const auto last = std::lower_bound(events.begin(), events.end(), plan_.as_of, early);
  const auto first =
      plan_.window == 0 ? events.begin() : std::lower_bound(events.begin(), last, plan_.as_of - plan_.window, early);
  clear(static_cast<std::size_t>(last - first));
  const std::span counted(first, last);
  decay_all(counted);
  for (std::size_t i = 0; i < counted.size(); ++i) take(counted[i], decays_.data() + i * lives_.size());
  finish_spend();
  finish_sessions();
  finish_gaps();
  finish_days(earlier);
  integer(I::lifecycle) = lifecycle();
  if (placed_ > 0) real(R::price_percentile) = percentiles_ / static_cast<double>(placed_);
  write(user, columns);
  write_hours(hours);
}

void UserPass::decay_all(std::span<const ProfileEvent> events) {
  // Before all else: one event's decay does not wait for another's then.
  const std::size_t lives = lives_.size();
  if (decays_.size() < events.size() * lives) decays_.resize(events.size() * lives);
  for (std::size_t i = 0; i < events.size(); ++i) {
    const auto age = static_cast<double>(plan_.as_of - events[i].time);
    for (std::size_t l = 0; l < lives; ++l) decays_[i * lives + l] = decay_(age / lives_[l]);
  }
}

void UserPass::take(const ProfileEvent& event, const double* decays) {
  const std::uint8_t role = plan_.roles[event.type];
  ++type_counts_[event.type];
  if (integer(I::n_events)++ == 0) integer(I::first_event) = event.time;
  integer(I::last_event) = event.time;
  take_day(clock_.local(event.time));
  if (event.item != 0 && items_.add(event.item, 0).added) ++integer(I::n_items);
  take_session(event);
  if (event.dwell >= 0) {
    integer(I::dwell_ms) += event.dwell;
    ++integer(I::n_dwelt);
  }
  if ((role & kSearch) != 0 && event.query >= 0) {
    ++integer(I::n_searches);
    const auto [at, added] = terms_seen_.add(static_cast<std::uint64_t>(event.query), std::ssize(terms_));
    if (added) terms_.push_back({0, event.query, -1});
    ++terms_[static_cast<std::size_t>(*at)].count;
  }
  if ((role & kPassive) == 0) take_activity(event.time);
  const bool refund = (role & kRefund) != 0 || ((role & kPurchase) != 0 && event.money != kNone && event.money < 0);
  const bool bought = (role & kPurchase) != 0 && !refund;
  take_interests(event, bought, decays);
  if (bought) take_purchase(event);
  if (refund) take_refund(event);
  if ((bought || refund) && event.money != kNone)
    take_spend(event.time, bought ? event.money : -std::abs(event.money), decays[life_of_.back()]);
}

void UserPass::take_day(std::int64_t local) {
  // Events of one visit share their hour: three divisions an hour, not an event.
  if (local < hour_begin_ || local >= hour_begin_ + kHour) {
    const std::int64_t whole = floor_divide(local, kHour);
    const std::int64_t hour = whole + kFirstHour;
    hour_begin_ = whole * kHour;
    hour_ = static_cast<std::size_t>(hour - floor_divide(hour, 168) * 168);
    hour_day_ = floor_divide(whole, 24);
  }
  ++hours_[hour_];
  hours_in_use_[hour_ / 64] |= std::uint64_t{1} << hour_ % 64;
  const std::int64_t day = hour_day_;
  // Clocks that go back at midnight bring a day back.
  if (day != day_ && days_.add(static_cast<std::uint64_t>(day), 0).added) ++integer(I::active_days);
  day_ = day;
}

void UserPass::take_session(const ProfileEvent& event) {
  std::size_t at = 0;
  if (event.session != 0) {
    if (event.session != session_id_) {
      session_id_ = event.session;
      session_ = static_cast<std::size_t>(*sessions_by_id_.add(event.session, std::ssize(sessions_)).value);
    }
    at = session_;
  } else {
    const bool open =
        silent_ >= 0 && event.time - sessions_[static_cast<std::size_t>(silent_)].last <= plan_.session_gap;
    if (!open) silent_ = std::ssize(sessions_);
    at = static_cast<std::size_t>(silent_);
  }
  if (at == sessions_.size()) {
    sessions_.push_back({event.time, event.time, 1, event.path});
    return;
  }
  Session& session = sessions_[at];
  session.last = event.time;
  ++session.events;
  if (event.path < 0) return;
  if (session.path >= 0) {
    const auto key = static_cast<std::uint64_t>(session.path) << 32 | static_cast<std::uint64_t>(event.path);
    const auto [step, added] = steps_seen_.add(key, std::ssize(steps_));
    if (added) steps_.push_back({0, session.path, event.path});
    ++steps_[static_cast<std::size_t>(*step)].count;
    ++integer(I::n_transitions);
  }
  session.path = event.path;
}

void UserPass::take_spend(std::int64_t time, std::int64_t money, double decay) {
  // What one moment comes to is a whole number: the order of an invoice's lines does not show.
  if (time != spent_at_) {
    finish_spend();
    spent_at_ = time;
    spend_decay_ = decay;
  }
  add_to(spend_, money);
}

void UserPass::finish_spend() {
  if (spend_ != 0) real(R::spend_decayed) += static_cast<double>(spend_) * spend_decay_;
  spend_ = 0;
}

void UserPass::take_interests(const ProfileEvent& event, bool bought, const double* decays) {
  const double weight = plan_.weights[event.type];
  if (weight != 0.0) {
    for (int d = 0; d < plan_.dimensions; ++d) {
      const auto at = static_cast<std::size_t>(d);
      if (event.dimensions[at] < 0) continue;
      const double interest = weight * decays[life_of_[at]];
      if (d == plan_.tags) {
        for (const std::int32_t tag : vocabularies_.tags->members(event.dimensions[at])) sums_[at].add(tag, interest);
      } else {
        sums_[at].add(event.dimensions[at], interest);
      }
    }
  }
  if (plan_.category < 0 || event.price == kNone || (weight == 0.0 && !bought)) return;
  const std::int32_t category = event.dimensions[static_cast<std::size_t>(plan_.category)];
  if (category < 0) return;
  const double place = places_.percentile(category, event.price);
  if (std::isnan(place)) return;
  if (bought) {
    percentiles_ += place;
    ++placed_;
  }
  if (plan_.price_bands == 0 || weight == 0.0) return;
  const auto band = std::min(plan_.price_bands - 1, static_cast<int>(place * plan_.price_bands));
  bands_.add(band, weight * decays[life_of_[static_cast<std::size_t>(plan_.dimensions)]]);
}

void UserPass::take_purchase(const ProfileEvent& event) {
  if (integer(I::n_purchases)++ == 0) integer(I::first_purchase) = event.time;
  integer(I::last_purchase) = event.time;
  integer(I::quantity) += event.has_quantity ? event.quantity : 1;
  const std::uint64_t order = event.order != 0 ? event.order : hash_number(event.time);
  if (orders_.add(order, 0).added) {
    ++integer(I::n_orders);
    order_times_.push_back(event.time);
  }
  const std::int64_t money = event.money == kNone ? 0 : event.money;
  add_to(bought_day(), money);
  take_discount(event);
  if (event.money == kNone) return;
  add_to(integer(I::spend_gross), money);
  std::int64_t& least = integer(I::spend_min);
  least = least == kNone ? money : std::min(least, money);
  std::int64_t& most = integer(I::spend_max);
  most = std::max(most, money);
}

std::int64_t& UserPass::bought_day() {
  // Ascending: where clocks go back at midnight, a day that is over goes on.
  auto after = bought_days_.end();
  while (after != bought_days_.begin() && std::prev(after)->first > day_) --after;
  if (after == bought_days_.begin() || std::prev(after)->first != day_)
    after = std::next(bought_days_.emplace(after, day_, 0));
  return std::prev(after)->second;
}

void UserPass::take_discount(const ProfileEvent& event) {
  std::int64_t saved = 0;
  if (event.price != kNone && event.money != kNone) {
    const std::int64_t pieces = event.has_quantity ? event.quantity : 1;
    if (__builtin_mul_overflow(event.price, pieces, &saved)) too_much();
    saved = std::max<std::int64_t>(0, saved - event.money);
  }
  if (saved > 0) add_to(integer(I::discount_saved), saved);
  if (event.coupon || saved > 0) ++integer(I::n_discounted);
}

void UserPass::take_refund(const ProfileEvent& event) {
  ++integer(I::n_refunds);
  if (event.money == kNone) return;
  add_to(integer(I::spend_refunded), std::abs(event.money));
}

void UserPass::take_activity(std::int64_t time) {
  if (first_active_ == kNone) first_active_ = time;
  last_active_ = time;
  if (time < plan_.as_of - plan_.active_within) {
    last_outside_ = time;
  } else if (first_inside_ == kNone) {
    first_inside_ = time;
  }
}

void UserPass::finish_sessions() {
  integer(I::n_sessions) = std::ssize(sessions_);
  for (const Session& session : sessions_) {
    integer(I::session_us) += session.last - session.first;
    if (session.events == 1) ++integer(I::n_bounces);
  }
}

void UserPass::finish_gaps() {
  for (std::size_t i = 1; i < order_times_.size(); ++i)
    gaps_.push_back(static_cast<double>(order_times_[i] - order_times_[i - 1]));
  if (gaps_.empty()) return;
  std::sort(gaps_.begin(), gaps_.end());
  const double low = quantile(gaps_, 0.25);
  const double high = quantile(gaps_, 0.75);
  real(R::gap_median) = quantile(gaps_, 0.5) / static_cast<double>(kDay);
  real(R::gap_iqr) = (high - low) / static_cast<double>(kDay);
  real(R::gap_q90) = quantile(gaps_, 0.9) / static_cast<double>(kDay);
  if (gaps_.size() > 1 && low + high > 0.0) real(R::regularity) = 1.0 - (high - low) / (high + low);
}

void UserPass::finish_days(std::span<const std::int64_t> earlier) {
  const auto end = std::ranges::lower_bound(earlier, plan_.as_of);
  const auto begin =
      plan_.window == 0 ? earlier.begin() : std::lower_bound(earlier.begin(), end, plan_.as_of - plan_.window);
  if (begin != end) return add_earlier_days({begin, end});
  if (bought_days_.empty()) return;
  const std::int64_t today = floor_divide(clock_.local(plan_.as_of - 1), kDay);
  integer(I::btyd_days) = std::ssize(bought_days_) - 1;
  integer(I::btyd_recency) = bought_days_.back().first - bought_days_.front().first;
  integer(I::btyd_t) = today - bought_days_.front().first;
  integer(I::btyd_repeat_spend) = integer(I::spend_gross) - bought_days_.front().second;
}

void UserPass::add_earlier_days(std::span<const std::int64_t> earlier) {
  const std::int64_t today = floor_divide(clock_.local(plan_.as_of - 1), kDay);
  std::vector<std::int64_t> days;
  days.reserve(earlier.size() + bought_days_.size());
  for (const std::int64_t time : earlier) days.push_back(floor_divide(clock_.local(time), kDay));
  // What was spent is known of the days that have no part among the earlier ones; the others are taken to be like them.
  std::int64_t known = 0;
  std::int64_t spent = 0;
  for (const auto& [day, money] : bought_days_) {
    if (std::ranges::find(days, day) != days.end()) continue;
    ++known;
    add_to(spent, money);
  }
  for (const auto& [day, money] : bought_days_) days.push_back(day);
  std::ranges::sort(days);
  days.erase(std::unique(days.begin(), days.end()), days.end());
  integer(I::first_purchase) = earlier.front();
  integer(I::btyd_days) = std::ssize(days) - 1;
  integer(I::btyd_recency) = days.back() - days.front();
  integer(I::btyd_t) = today - days.front();
  if (known == 0) return;
  const double mean = static_cast<double>(spent) / static_cast<double>(known);
  integer(I::btyd_repeat_spend) = std::llround(mean * static_cast<double>(std::ssize(days) - 1));
}

std::int64_t UserPass::lifecycle() const {
  if (last_active_ == kNone) return kNone;
  const std::int64_t idle = plan_.as_of - last_active_;
  if (idle > plan_.lost_after) return kLost;
  if (idle > plan_.dormant_after) return kDormant;
  if (idle > plan_.active_within) return kAtRisk;
  if (last_outside_ == kNone) return kNew;
  if (first_inside_ - last_outside_ > plan_.dormant_after) return kResurrected;
  if (std::ssize(gaps_) >= plan_.at_risk_gaps &&
      static_cast<double>(plan_.as_of - order_times_.back()) > quantile(gaps_, 0.9))
    return kAtRisk;
  return last_outside_ >= plan_.as_of - 2 * plan_.active_within ? kActive : kReturning;
}

void UserPass::write(std::int64_t user, ProfileColumns& columns) {
  const auto row = static_cast<std::size_t>(user);
  for (std::size_t i = 0; i < integers_.size(); ++i) columns.integers[i][row] = integers_[i];
  for (std::size_t i = 0; i < reals_.size(); ++i) columns.reals[i][row] = reals_[i];
  for (std::size_t i = 0; i < type_counts_.size(); ++i) columns.type_counts[i][row] = type_counts_[i];
  for (int d = 0; d < plan_.dimensions; ++d) {
    const auto at = static_cast<std::size_t>(d);
    write_interest(sums_[at], &interest_names(at), user, columns.interests[at]);
  }
  if (plan_.price_bands > 0) write_interest(bands_, nullptr, user, columns.interests.back());
  write_counted(user, columns);
}

void UserPass::write_interest(CodeSums& sums, const Vocabulary* names, std::int64_t user, ProfileInterests& out) const {
  std::span<CodeSums::Entry> entries = sums.entries();
  const auto nothing =
      std::ranges::remove_if(entries, [](const CodeSums::Entry& each) { return !(each.weight > 0.0); });
  entries = entries.first(entries.size() - nothing.size());
  const auto row = static_cast<std::size_t>(user);
  const auto top = static_cast<std::size_t>(plan_.top);
  const std::size_t listed = std::min(top, entries.size());
  const auto better = [names](const CodeSums::Entry& a, const CodeSums::Entry& b) {
    if (a.weight != b.weight) return a.weight > b.weight;
    return names == nullptr ? a.code < b.code : names->name(a.code) < names->name(b.code);
  };
  sort_first(entries, listed, better);
  double total = 0.0;
  for (std::size_t i = 0; i < listed; ++i) {
    out.codes[row * top + i] = entries[i].code;
    out.weights[row * top + i] = entries[i].weight;
    total += entries[i].weight;
  }
  out.truncated[row] = sum_in_any_order(entries.subspan(listed));
  out.total[row] = total + out.truncated[row];
}

void UserPass::write_counted(std::int64_t user, ProfileColumns& columns) {
  const auto top = static_cast<std::size_t>(plan_.top);
  const std::size_t begin = static_cast<std::size_t>(user) * top;
  const auto most = [&](std::vector<Counted>& counted, const Vocabulary& names) {
    const std::size_t listed = std::min(top, counted.size());
    const auto better = [&names](const Counted& a, const Counted& b) {
      if (a.count != b.count) return a.count > b.count;
      if (a.first != b.first) return names.name(a.first) < names.name(b.first);
      return a.second != b.second && names.name(a.second) < names.name(b.second);
    };
    sort_first(std::span(counted), listed, better);
    return listed;
  };
  const std::size_t steps = most(steps_, *vocabularies_.path);
  for (std::size_t i = 0; i < steps; ++i) {
    columns.path_from[begin + i] = steps_[i].first;
    columns.path_to[begin + i] = steps_[i].second;
    columns.path_counts[begin + i] = steps_[i].count;
  }
  const std::size_t terms = most(terms_, *vocabularies_.query);
  for (std::size_t i = 0; i < terms; ++i) {
    columns.term_codes[begin + i] = terms_[i].first;
    columns.term_counts[begin + i] = terms_[i].count;
  }
}

void UserPass::write_hours(HourBlock& hours) {
  const auto begin = std::ssize(hours.hours);
  for (std::size_t word = 0; word < hours_in_use_.size(); ++word) {
    for (std::uint64_t left = hours_in_use_[word]; left != 0; left &= left - 1) {
      const auto hour = 64 * word + static_cast<std::size_t>(std::countr_zero(left));
      hours.hours.push_back(static_cast<std::int32_t>(hour));
      hours.counts.push_back(hours_[hour]);
    }
  }
  hours.sizes.push_back(std::ssize(hours.hours) - begin);
}

}  // namespace recocore::cpu
// NOLINTEND(bugprone-signed-bitwise)
