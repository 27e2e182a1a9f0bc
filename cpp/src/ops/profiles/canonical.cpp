#include "ops/profiles/canonical.hpp"

#include <algorithm>
#include <compare>
#include <tuple>

#include "ops/profiles/checks.hpp"

namespace recocore::cpu {
namespace {

/// The first two fields by which equal moments are ordered, as one number: the type above 45 bits of money.
std::uint64_t tie_key(const ProfileEvent& event) {
  constexpr unsigned kMoneyBits = 45;
  static_assert(static_cast<std::uint64_t>(kMostMoney) < std::uint64_t{1} << (kMoneyBits - 1U));
  const std::uint64_t money =
      event.money == kNone ? 0 : static_cast<std::uint64_t>(event.money) + static_cast<std::uint64_t>(kMostMoney) + 1;
  return (static_cast<std::uint64_t>(event.type) << kMoneyBits) + money;
}

/// Whether two events of one moment make the same profile in either order.
bool alike(const ProfileEvent& a, const ProfileEvent& b) {
  return a.type == b.type && a.path == b.path && a.price == kNone && b.price == kNone && a.id == 0 && b.id == 0;
}

}  // namespace

bool Canonical::before_in_tie(const ProfileEvent& a, const ProfileEvent& b) const {
  const auto plain = [](const ProfileEvent& e) {
    return std::tie(e.type, e.money, e.price, e.dwell, e.has_quantity, e.quantity, e.coupon, e.item, e.order, e.session,
                    e.id, e.known);
  };
  const auto order = plain(a) <=> plain(b);
  if (order != 0) return order < 0;
  for (int d = 0; d < dimensions_; ++d) {
    const auto at = static_cast<std::size_t>(d);
    const Vocabulary& names = *vocabularies_.dimensions[at];
    if (a.dimensions[at] != b.dimensions[at]) return names.hash(a.dimensions[at]) < names.hash(b.dimensions[at]);
  }
  if (a.query != b.query) return vocabularies_.query->hash(a.query) < vocabularies_.query->hash(b.query);
  return vocabularies_.path->hash(a.path) < vocabularies_.path->hash(b.path);
}

bool Canonical::in_order(std::span<const ProfileEvent> events) const {
  for (std::size_t i = 1; i < events.size(); ++i) {
    if (events[i - 1].time < events[i].time) continue;
    if (events[i - 1].time > events[i].time) return false;
    const std::size_t begin = i - 1;
    while (i < events.size() && events[i].time == events[begin].time) ++i;
    const auto tie = events.subspan(begin, i - begin);
    const auto alike_first = [&tie](const ProfileEvent& event) { return alike(tie.front(), event); };
    const auto less = [this](const ProfileEvent& a, const ProfileEvent& b) { return before_in_tie(a, b); };
    if (!std::all_of(tie.begin(), tie.end(), alike_first) && !std::is_sorted(tie.begin(), tie.end(), less))
      return false;
    --i;
  }
  return true;
}

std::span<ProfileEvent> Canonical::apply(std::span<ProfileEvent> events, std::int64_t known_by) {
  const auto end = std::remove_if(events.begin(), events.end(),
                                  [known_by](const ProfileEvent& event) { return event.known > known_by; });
  events = events.first(static_cast<std::size_t>(end - events.begin()));
  return without_repeats(in_order(events) ? events : sort(events));
}

std::span<ProfileEvent> Canonical::sort(std::span<const ProfileEvent> events) {
  // Events are large: what orders most of them is sorted with their places, and each is moved once.
  order_.clear();
  for (const ProfileEvent& event : events) order_.push_back({event.time, tie_key(event), order_.size()});
  const auto less = [&](const Place& a, const Place& b) {
    if (a.time != b.time) return a.time < b.time;
    return a.kind != b.kind ? a.kind < b.kind : before_in_tie(events[a.at], events[b.at]);
  };
  const auto earlier = [](const Place& a, const Place& b) { return a.time < b.time; };
  if (std::is_sorted(order_.begin(), order_.end(), earlier)) {
    // A log in the order of time: only equal moments, such as the lines of an invoice, are left to be ordered.
    for (auto begin = order_.begin(); begin != order_.end();) {
      const auto end = std::find_if(begin, order_.end(), [begin](const Place& p) { return p.time != begin->time; });
      std::sort(begin, end, less);
      begin = end;
    }
  } else {
    std::sort(order_.begin(), order_.end(), less);
  }
  sorted_.clear();
  for (const Place& place : order_) sorted_.push_back(events[place.at]);
  return sorted_;
}

std::span<ProfileEvent> Canonical::without_repeats(std::span<ProfileEvent> events) {
  const auto named = [](const ProfileEvent& event) { return event.id != 0; };
  if (events.size() < 2 || std::none_of(events.begin(), events.end(), named)) return events;
  seen_.reset(events.size());
  bool any = false;
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (events[i].id == 0) continue;
    const auto [kept, added] = seen_.add(events[i].id, static_cast<std::int64_t>(i));
    if (added) continue;
    if (!any) dropped_.assign(events.size(), 0);
    any = true;
    const auto earlier = static_cast<std::size_t>(*kept);
    const bool replaces = events[i].known < events[earlier].known;
    dropped_[replaces ? earlier : i] = 1;
    if (replaces) *kept = static_cast<std::int64_t>(i);
  }
  if (!any) return events;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < events.size(); ++i)
    if (dropped_[i] == 0) events[kept++] = events[i];
  return events.first(kept);
}

}  // namespace recocore::cpu
