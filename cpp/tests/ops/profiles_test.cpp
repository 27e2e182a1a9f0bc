#include "recocore/profiles.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>

#include "recocore/error.hpp"
#include "recocore/profile_log.hpp"

namespace {

using namespace recocore;

constexpr std::int64_t kDay = 86'400'000'000;

/// Columns of a batch, and names for its codes.
struct Log {
  std::vector<std::int32_t> users, categories, paths;
  std::vector<std::int64_t> times, known, money, prices;
  std::vector<std::uint8_t> types;
  std::vector<std::uint64_t> ids, items;
  Vocabulary names, user_names, none;
  std::vector<std::string> texts{"a", "b", "c", "d"};
  std::vector<std::string> user_texts;
  std::int32_t n_users;

  explicit Log(std::int32_t n_users_) : n_users(n_users_) {
    for (const std::string& text : texts) names.add(text);
    for (std::int32_t user = 0; user < n_users; ++user) user_texts.push_back("user " + std::to_string(user));
    for (const std::string& text : user_texts) user_names.add(text);
  }

  static Log random(std::int32_t n_users, int events, unsigned seed) {
    Log log(n_users);
    std::mt19937 draw(seed);
    for (int i = 0; i < events; ++i) {
      const auto pick = [&](unsigned below) { return static_cast<std::int64_t>(draw() % below); };
      log.users.push_back(static_cast<std::int32_t>(pick(static_cast<unsigned>(n_users))));
      log.times.push_back(pick(100) * kDay / 3 - 20 * kDay);
      log.known.push_back(pick(4) == 0 ? log.times.back() + pick(30) * kDay : kNone);
      log.types.push_back(static_cast<std::uint8_t>(pick(4)));
      log.ids.push_back(pick(5) == 0 ? 0 : hash_number(pick(static_cast<unsigned>(events))));
      log.items.push_back(hash_number(pick(7)));
      log.money.push_back(log.types.back() == 1 || log.types.back() == 2 ? pick(1000) : kNone);
      log.prices.push_back(pick(3) == 0 ? kNone : pick(50));
      log.categories.push_back(static_cast<std::int32_t>(pick(5)) - 1);
      log.paths.push_back(static_cast<std::int32_t>(pick(4)));
    }
    return log;
  }

  [[nodiscard]] ProfileBatch batch() const {
    ProfileBatch batch;
    batch.users = users;
    batch.times = times;
    batch.known = known;
    batch.types = types;
    batch.ids = ids;
    batch.items = items;
    batch.money = money;
    batch.prices = prices;
    batch.paths = paths;
    batch.dimensions[0] = categories;
    batch.n_users = n_users;
    return batch;
  }

  [[nodiscard]] ProfileVocabularies vocabularies() const {
    ProfileVocabularies all;
    all.dimensions = {&names, &none, &none, &none};
    all.query = &none;
    all.path = &names;
    return all;
  }
};

ProfilePlan plan_at(std::int64_t as_of) {
  ProfilePlan plan;
  plan.as_of = as_of;
  plan.weights = {1.0, 5.0, -5.0, 0.0};
  plan.roles = {0, kPurchase, kRefund, 0};
  plan.half_lives = {30.0 * static_cast<double>(kDay), 10.0 * static_cast<double>(kDay), static_cast<double>(kDay)};
  plan.dimensions = 1;
  plan.category = 0;
  plan.price_bands = 3;
  plan.top = 2;
  plan.session_gap = kDay / 48;
  plan.active_within = 30 * kDay;
  plan.dormant_after = 90 * kDay;
  plan.lost_after = 365 * kDay;
  plan.zones = {{{std::numeric_limits<std::int64_t>::min()}, {0}}};
  return plan;
}

ProfileColumns profiles(const Log& log, std::int64_t as_of, int threads = 1) {
  PriceOffers offers;
  return profile_batch(log.batch(), plan_at(as_of), log.vocabularies(), {}, offers, true, {threads, nullptr});
}

std::int64_t integer(const ProfileColumns& columns, ProfileInteger field, std::size_t user) {
  return columns.integers[static_cast<std::size_t>(field)][user];
}

/// Bit for bit; NaN is NaN.
bool same(const ProfileColumns& a, const ProfileColumns& b) {
  const auto bits = [](const std::vector<double>& x, const std::vector<double>& y) {
    return std::equal(x.begin(), x.end(), y.begin(), y.end(),
                      [](double p, double q) { return p == q || (std::isnan(p) && std::isnan(q)); });
  };
  bool equal = a.integers == b.integers && a.type_counts == b.type_counts && a.hours == b.hours &&
               a.hour_begins == b.hour_begins && a.hour_counts == b.hour_counts && a.path_from == b.path_from &&
               a.path_counts == b.path_counts;
  for (std::size_t i = 0; i < a.reals.size(); ++i) equal = equal && bits(a.reals[i], b.reals[i]);
  for (std::size_t i = 0; i < a.interests.size(); ++i)
    equal =
        equal && a.interests[i].codes == b.interests[i].codes && bits(a.interests[i].weights, b.interests[i].weights);
  return equal;
}

TEST_CASE("counts and sums are those of a loop over the events") {
  Log log = Log::random(20, 3000, 1);
  std::fill(log.ids.begin(), log.ids.end(), 0);
  const std::int64_t as_of = 9 * kDay;
  const ProfileColumns columns = profiles(log, as_of);
  for (std::size_t user = 0; user < 20; ++user) {
    std::int64_t events = 0;
    std::int64_t gross = 0;
    double decayed = 0.0;
    for (std::size_t i = 0; i < log.users.size(); ++i) {
      const std::int64_t known = log.known[i] == kNone ? log.times[i] : log.known[i];
      if (log.users[i] != static_cast<std::int32_t>(user) || log.times[i] >= as_of || known > as_of) continue;
      ++events;
      if (log.types[i] != 1 && log.types[i] != 2) continue;
      const double weight = std::exp2(-static_cast<double>(as_of - log.times[i]) / static_cast<double>(kDay));
      if (log.types[i] == 1) gross += log.money[i];
      decayed += (log.types[i] == 1 ? 1.0 : -1.0) * weight * static_cast<double>(log.money[i]);
    }
    CHECK(integer(columns, ProfileInteger::n_events, user) == events);
    CHECK(integer(columns, ProfileInteger::spend_gross, user) == gross);
    CHECK(columns.reals[0][user] == doctest::Approx(decayed).epsilon(1e-12));
  }
}

TEST_CASE("neither order nor repeats nor threads show") {
  const Log log = Log::random(700, 9000, 2);
  Log shuffled(700);
  std::vector<std::size_t> order(2 * log.users.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i / 2;  // each row twice
  std::shuffle(order.begin(), order.end(), std::mt19937(5));
  std::vector<std::uint8_t> sent(log.users.size(), 0);
  for (const std::size_t i : order) {
    if (sent[i]++ != 0 && log.ids[i] == 0) continue;  // without an id a repeat is another event
    shuffled.users.push_back(log.users[i]);
    shuffled.times.push_back(log.times[i]);
    shuffled.known.push_back(log.known[i]);
    shuffled.types.push_back(log.types[i]);
    shuffled.ids.push_back(log.ids[i]);
    shuffled.items.push_back(log.items[i]);
    shuffled.money.push_back(log.money[i]);
    shuffled.prices.push_back(log.prices[i]);
    shuffled.categories.push_back(log.categories[i]);
    shuffled.paths.push_back(log.paths[i]);
  }
  const ProfileColumns expected = profiles(log, 10 * kDay);
  CHECK(same(expected, profiles(shuffled, 10 * kDay)));
  CHECK(same(expected, profiles(shuffled, 10 * kDay, 4)));
}

TEST_CASE("a packed log gives what the batch gives, merged and restored too") {
  const Log log = Log::random(60, 6000, 3);
  ProfileLog first(1, 3);
  ProfileLog second(1, 3);
  first.append(log.batch(), log.vocabularies(), log.user_names);
  second.merge(first);
  first.append(log.batch(), log.vocabularies(), log.user_names);  // everything again: ids are known
  second.merge(first);
  std::vector<std::int64_t> begins{0};
  std::vector<std::uint8_t> packed;
  for (std::int32_t user = 0; user < first.users().names().size(); ++user) {
    const auto bytes = first.packed(user);
    packed.insert(packed.end(), bytes.begin(), bytes.end());
    begins.push_back(std::ssize(packed));
  }
  ProfileLog restored(1, 3);
  ProfileVocabularies names = log.vocabularies();
  names.dimensions[0] = &first.dimension(0).names();
  names.path = &first.path().names();
  restored.restore(names, first.users().names(), begins, packed);
  Log with_ids = log;
  for (std::size_t i = 0; i < with_ids.ids.size(); ++i)
    if (with_ids.ids[i] == 0) with_ids.ids[i] = hash_number(static_cast<std::int64_t>(i) + 1'000'000);
  ProfileLog named(1, 3);
  named.append(with_ids.batch(), with_ids.vocabularies(), with_ids.user_names);
  named.append(with_ids.batch(), with_ids.vocabularies(), with_ids.user_names);
  for (const std::int64_t as_of : {std::int64_t{-1}, 5 * kDay, 40 * kDay}) {
    PriceOffers offers;
    const auto all = [&](const ProfileLog& from) {
      return from.profiles(plan_at(as_of), {}, true, {}, offers, true, {1, nullptr});
    };
    CHECK(same(all(named), profiles(with_ids, as_of)));
    CHECK(same(all(restored), all(first)));
  }
  packed.back() ^= 0x80;
  ProfileLog damaged(1, 3);
  CHECK_THROWS_AS(damaged.restore(names, first.users().names(), begins, packed), Error);
}

TEST_CASE("arguments that do not fit are refused") {
  Log log = Log::random(3, 30, 4);
  log.categories[7] = 9;
  CHECK_THROWS_WITH_AS(profiles(log, 0), doctest::Contains("dimensions: expected numbers from -1 to 3, got 9 in row 7"),
                       Error);
  log.categories.pop_back();
  CHECK_THROWS_AS(profiles(log, 0), Error);
  const auto refused = [](auto change) {
    Log changed = Log::random(3, 30, 4);
    change(changed);
    CHECK_THROWS_AS(profiles(changed, 0), Error);
  };
  for (const std::int32_t user : {-1, 3, INT32_MIN, INT32_MAX}) refused([&](Log& l) { l.users[29] = user; });
  for (const std::int64_t time : {INT64_MIN, INT64_MAX}) refused([&](Log& l) { l.times[0] = time; });
  for (const std::int64_t most : {INT64_MAX, std::int64_t{1} << 44, -(std::int64_t{1} << 44), kNone + 1}) {
    refused([&](Log& l) { l.money[3] = most; });
    refused([&](Log& l) { l.prices[4] = most; });
  }
  refused([](Log& l) { l.types[5] = 4; });
  refused([](Log& l) { l.categories[5] = -2; });
  refused([](Log& l) { l.n_users = 0; });  // events, and nobody
}

TEST_CASE("money is whole minor units or refused") {
  const std::vector<double> values{0.29, -15.299999999999999, 1e9, std::nan(""), -0.01};
  const std::vector<std::uint8_t> bits{0b10111 << 1};
  std::vector<std::int64_t> units(5);
  minor_units(values, {bits, 1, 5}, 2, "value", units);
  CHECK(units == std::vector<std::int64_t>{29, -1530, 100'000'000'000, kNone, -1});
  for (const double wrong : {0.005, std::nan(""), HUGE_VAL, 1e12}) {
    const std::vector<double> one{wrong};
    std::vector<std::int64_t> out(1);
    CHECK_THROWS_AS(minor_units(one, {}, 2, "value", out), Error);
  }
}

TEST_CASE("the best window wraps around the week and keeps off quiet hours") {
  const SendRule rule{std::vector<double>(168, 1.0 / 168), 0.0, {1.0}, 3, 2, 20};
  const std::vector<std::int64_t> begins{0, 2, 3};
  const std::vector<std::int32_t> hours{0, 167, 12};
  const std::vector<std::int64_t> counts{4, 4, 9};
  std::vector<std::int64_t> starts(2);
  std::vector<double> shares(2);
  send_windows(begins, hours, counts, rule, starts, shares, {1, nullptr});
  CHECK(starts == std::vector<std::int64_t>{166, 20});
  CHECK(shares[0] == 1.0);
}

TEST_CASE("names keep their codes while they grow in number") {
  Interner interner;
  for (int i = 0; i < 5000; ++i) CHECK(interner.intern("name " + std::to_string(i)) == i);
  CHECK(interner.intern(std::string(100'000, 'x')) == 5000);
  for (int i = 0; i < 5000; ++i) CHECK(interner.find("name " + std::to_string(i)) == i);
  CHECK(interner.find("another") == -1);
  CHECK(interner.names().name(5000).size() == 100'000);
}

}  // namespace
