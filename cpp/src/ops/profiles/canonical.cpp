#include "ops/profiles/canonical.hpp"

#include <algorithm>
#include <compare>
#include <tuple>

namespace recocore::cpu {

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

bool Canonical::before(const ProfileEvent& a, const ProfileEvent& b) const {
  return a.time != b.time ? a.time < b.time : before_in_tie(a, b);
}

std::span<ProfileEvent> Canonical::apply(std::span<ProfileEvent> events, std::int64_t known_by) {
  const auto end = std::remove_if(events.begin(), events.end(),
                                  [known_by](const ProfileEvent& event) { return event.known > known_by; });
  events = events.first(static_cast<std::size_t>(end - events.begin()));
  const auto less = [this](const ProfileEvent& a, const ProfileEvent& b) { return before(a, b); };
  if (!std::is_sorted(events.begin(), events.end(), less)) sort(events);
  return without_repeats(events);
}

void Canonical::sort(std::span<ProfileEvent> events) {
  // Events are large: their times and places are sorted, and each is moved once.
  order_.clear();
  for (const ProfileEvent& event : events) order_.push_back({event.time, order_.size()});
  std::sort(order_.begin(), order_.end(), [&](const Place& a, const Place& b) {
    return a.time != b.time ? a.time < b.time : before_in_tie(events[a.at], events[b.at]);
  });
  sorted_.clear();
  for (const Place& place : order_) sorted_.push_back(events[place.at]);
  std::copy(sorted_.begin(), sorted_.end(), events.begin());
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
