// Packed bits, shifts and masks of small non-negative numbers: their operands are signed throughout.
// NOLINTBEGIN(bugprone-signed-bitwise)

#include "ops/profiles/checks.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <type_traits>

#include "recocore/error.hpp"

namespace recocore::cpu {
namespace {

void check_size(std::size_t size, std::size_t events, const char* argument) {
  require(size == events || size == 0, [&] {
    return std::string(argument) + ": expected a value for each of " + std::to_string(events) + " events, got " +
           std::to_string(size);
  });
}

template <typename T>
void check_range(std::span<const T> values, std::int64_t least, std::int64_t most, const char* argument,
                 std::int64_t absent = 0) {
  const auto outside = [&](T value) {
    const auto number = static_cast<std::int64_t>(value);
    return ((number < least) | (number > most)) & ((absent == 0) | (number != absent));
  };
  // Nearly always all fit: one pass without branches says so, and only else is the place looked for. What is below
  // `least` becomes a large number, and so does what is above `most`.
  using Unsigned = std::make_unsigned_t<T>;
  const auto room = static_cast<Unsigned>(std::min<std::int64_t>(most, std::numeric_limits<T>::max()) - least);
  const auto below = static_cast<Unsigned>(least);
  Unsigned any = most < least ? 1 : 0;  // of nobody's users there is none
  for (const T value : values) {
    const auto beyond = static_cast<Unsigned>(static_cast<Unsigned>(value) - below) > room;
    any |= static_cast<Unsigned>(beyond & ((absent == 0) | (static_cast<std::int64_t>(value) != absent)));
  }
  if (any == 0 || values.empty()) return;
  const auto found = std::find_if(values.begin(), values.end(), outside);
  require(false, [&] {
    return std::string(argument) + ": expected numbers from " + std::to_string(least) + " to " + std::to_string(most) +
           ", got " + std::to_string(*found) + " in row " + std::to_string(found - values.begin());
  });
}

}  // namespace

void check_plan(const ProfilePlan& plan, std::span<const std::int32_t> user_zones, std::int64_t users) {
  const bool fits = !plan.weights.empty() && plan.weights.size() <= 256 && plan.roles.size() == plan.weights.size() &&
                    plan.dimensions >= 0 && plan.dimensions <= kMaxDimensions && plan.category < plan.dimensions &&
                    plan.tags < plan.dimensions && (plan.tags < 0 || plan.tags != plan.category) &&
                    static_cast<int>(plan.half_lives.size()) == plan.dimensions + 2 && plan.top >= 1 &&
                    plan.price_bands >= 0 && (plan.price_bands == 0 || plan.category >= 0) && !plan.zones.empty() &&
                    std::abs(plan.as_of) <= kLatest && plan.window >= 0 && plan.window <= kLatest;
  require(fits, [] { return std::string("plan: expected one that fits itself; let recocore.profiles make it"); });
  for (const double life : plan.half_lives)
    require(life > 0.0, [&] { return "half_lives: expected spans above 0, got " + std::to_string(life); });
  for (const ProfileZone& zone : plan.zones)
    require(!zone.starts.empty() && zone.starts.size() == zone.offsets.size() &&
                std::is_sorted(zone.starts.begin(), zone.starts.end()),
            [] { return std::string("zones: expected ascending starts, and an offset for each"); });
  require(user_zones.empty() || std::ssize(user_zones) == users, [&] {
    return "user_zones: expected one for each of " + std::to_string(users) + " users, got " +
           std::to_string(user_zones.size());
  });
  check_range<std::int32_t>(user_zones, 0, std::ssize(plan.zones) - 1, "user_zones");
}

void check_batch(const ProfileBatch& batch, int types, const ProfileVocabularies& vocabularies) {
  const std::size_t n = batch.users.size();
  require(batch.times.size() == n && batch.types.size() == n,
          [] { return std::string("times, types: expected a value for each event"); });
  check_size(batch.known.size(), n, "known");
  check_size(batch.ids.size(), n, "ids");
  check_size(batch.items.size(), n, "items");
  check_size(batch.sessions.size(), n, "sessions");
  check_size(batch.orders.size(), n, "orders");
  check_size(batch.money.size(), n, "money");
  check_size(batch.prices.size(), n, "prices");
  check_size(batch.dwell.size(), n, "dwell");
  check_size(batch.quantities.size(), n, "quantities");
  check_size(batch.queries.size(), n, "queries");
  check_size(batch.paths.size(), n, "paths");
  check_size(batch.coupons.size(), n, "coupons");
  check_range(batch.users, 0, batch.n_users - 1, "users");
  check_range(batch.times, -kLatest, kLatest, "event_time (microseconds since 1970)");
  check_range(batch.types, 0, types, "types");
  check_range(batch.money, -kMostMoney, kMostMoney, "value (minor units)", kNone);
  check_range(batch.prices, -kMostMoney, kMostMoney, "price (minor units)", kNone);
  check_range(batch.dwell, 0, INT32_MAX, "dwell_ms", kNone);
  check_range(batch.quantities, INT32_MIN, INT32_MAX, "quantity", kNone);
  check_range(batch.queries, -1, vocabularies.query->size() - 1, "queries");
  check_range(batch.paths, -1, vocabularies.path->size() - 1, "paths");
  for (std::size_t d = 0; d < kMaxDimensions; ++d) {
    check_size(batch.dimensions[d].size(), n, "dimensions");
    check_range(batch.dimensions[d], -1, vocabularies.dimensions[d]->size() - 1, "dimensions");
  }
}

void check_offers(const PriceOffers& offers) {
  const bool fits = !offers.begins.empty() && offers.begins.front() == 0 &&
                    offers.begins.back() == std::ssize(offers.prices) && offers.items.size() == offers.prices.size() &&
                    std::is_sorted(offers.begins.begin(), offers.begins.end());
  require(fits, [] { return std::string("offers: expected begins, prices and items that fit each other"); });
  for (std::size_t c = 0; c + 1 < offers.begins.size(); ++c)
    require(std::is_sorted(offers.prices.begin() + offers.begins[c], offers.prices.begin() + offers.begins[c + 1]),
            [] { return std::string("offers: expected ascending prices in each category"); });
  require(std::all_of(offers.items.begin(), offers.items.end(), [](std::int64_t items) { return items > 0; }),
          [] { return std::string("offers: expected at least one item at each price"); });
}

}  // namespace recocore::cpu
// NOLINTEND(bugprone-signed-bitwise)
