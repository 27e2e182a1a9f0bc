#include "recocore/kept_profiles.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <random>
#include <string>

#include "recocore/error.hpp"
#include "recocore/kept_events.hpp"
#include "recocore/profile_log.hpp"

namespace {

using namespace recocore;

constexpr std::int64_t kDay = 86'400'000'000;
constexpr std::int64_t kNow = 1'700'000'000'000'000;
constexpr std::size_t kRoom = 1'000'000;

ProfilePlan plan() {
  ProfilePlan plan;
  plan.weights = {1.0, 5.0, 0.0, 0.0};
  plan.roles = {0, kPurchase, kSearch, 0};
  plan.half_lives.assign(4, 30.0 * static_cast<double>(kDay));
  plan.dimensions = 2;
  plan.category = 0;
  plan.tags = 1;
  plan.price_bands = 4;
  plan.top = 3;
  plan.session_gap = kDay / 48;
  plan.active_within = 30 * kDay;
  plan.dormant_after = 90 * kDay;
  plan.lost_after = 365 * kDay;
  plan.zones = {{{std::numeric_limits<std::int64_t>::min()}, {0}}};
  return plan;
}

KeptReading reading() {
  KeptReading reading;
  reading.types = {"view", "buy", "search"};
  reading.dimensions = {KeptName::category, KeptName::tags};
  reading.path = KeptName::brand;
  reading.offered = {"books", "toys"};
  reading.other_digits = {{"JPY", 0}};
  reading.term = [](std::string_view term) { return std::string(term.substr(0, term.find('!'))); };
  return reading;
}

PriceOffers offers() {
  return {{0, 2, 3}, {100, 500, 250}, {1, 2, 1}};
}

SendRule rule() {
  return {std::vector<double>(168, 1.0 / 168), 10.0, {1.0}, 3, 22, 8};
}

/// Events of one person, both as a record keeps them and as a log takes them.
struct Both {
  KeptEvents kept;
  ProfileLog log{2, 3, 1};

  void add(int count, unsigned seed) {
    std::mt19937 draw(seed);
    const auto pick = [&draw](unsigned below) { return static_cast<int>(draw() % below); };
    const std::vector<std::string> types{"view", "buy", "search", "wink"};
    const std::vector<std::string> names{"books", "toys", "tea"};
    std::vector<KeptEvent> events;
    for (int i = 0; i < count; ++i) {
      KeptEvent event;
      NamedEvent named;
      named.user = "ann";
      const int type = pick(4);
      event.time = named.event.time = named.event.known = kNow - pick(200) * kDay / 3;
      event.type = kept.intern(types[static_cast<std::size_t>(type)]);
      named.event.type = static_cast<std::uint8_t>(type);
      const std::string& name = names[static_cast<std::size_t>(pick(3))];
      event.category = kept.intern(name);
      named.dimensions[0] = name;
      if (pick(2) == 0) {
        event.brand = kept.intern(name);
        named.path = name;
      }
      if (type == 2) {
        event.query = kept.intern(name + "!");
        named.query = name;
      }
      if (pick(3) == 0) {
        event.tags = {kept.intern("red"), kept.intern("blue")};
        named.dimensions[1] = "blue\x1fred";
      }
      event.item = named.event.item = hash_number(pick(9));
      if (type == 1) {
        const int cents = pick(600);
        event.value = event.price = cents / 100.0;
        named.event.money = named.event.price = cents;
        event.currency = kept.intern("EUR");
      }
      events.push_back(event);
      log.append(named);
    }
    kept.add(events);
  }

  [[nodiscard]] std::vector<std::uint8_t> packed() const { return kept.pack(kRoom, 0); }
};

/// The strongest names of a dimension with their weights.
std::string spelled(const ProfileInterests& interests, const Vocabulary* names) {
  std::string text;
  for (std::size_t i = 0; i < interests.codes.size() && interests.codes[i] >= 0; ++i)
    text += (names == nullptr ? std::to_string(interests.codes[i]) : std::string(names->name(interests.codes[i]))) +
            " " + std::to_string(interests.weights[i]) + ";";
  return text;
}

TEST_CASE("kept events give the profile of a log") {
  KeptProfileReader reader(reading(), plan(), offers(), rule());
  for (const unsigned seed : {1U, 2U, 3U}) {
    Both both;
    both.add(60, seed);
    // The offers by the codes of the log.
    PriceOffers coded;
    const Vocabulary& categories = both.log.dimension(0).names();
    for (std::int32_t code = 0; code < categories.size(); ++code) {
      if (categories.name(code) == "books") {
        coded.prices.insert(coded.prices.end(), {100, 500});
        coded.items.insert(coded.items.end(), {1, 2});
      } else if (categories.name(code) == "toys") {
        coded.prices.push_back(250);
        coded.items.push_back(1);
      }
      coded.begins.push_back(std::ssize(coded.prices));
    }
    ProfileReader stream(both.log, plan(), coded, rule());
    const ProfileRow expected = stream.read(0, kNow);
    const auto packed = both.packed();
    const std::vector<std::span<const std::uint8_t>> parts{packed};
    const auto made = reader.read(parts, kNow);
    REQUIRE(made.has_value());
    const ProfileColumns& a = made->row.columns;
    const ProfileColumns& b = expected.columns;
    CHECK(a.integers == b.integers);
    for (std::size_t i = 0; i < a.reals.size(); ++i)
      CHECK((a.reals[i] == b.reals[i] || (std::isnan(a.reals[i][0]) && std::isnan(b.reals[i][0]))));
    CHECK(a.type_counts == b.type_counts);
    CHECK(a.hours == b.hours);
    CHECK(a.path_counts == b.path_counts);
    CHECK(a.term_counts == b.term_counts);
    CHECK(spelled(a.interests[0], reader.vocabularies().dimensions[0]) == spelled(b.interests[0], &categories));
    CHECK(spelled(a.interests[1], &reader.vocabularies().tags->names()) ==
          spelled(b.interests[1], &both.log.tags().names()));
    CHECK(spelled(a.interests[2], nullptr) == spelled(b.interests[2], nullptr));
    CHECK(made->row.send_hour == expected.send_hour);
    CHECK(made->currency == "EUR");
    CHECK(made->left_out == kNone);
  }
}

TEST_CASE("several parts are one person, and nobody is left from before") {
  KeptProfileReader reader(reading(), plan(), offers(), rule());
  Both ann;
  Both bob;
  ann.add(40, 4);
  bob.add(20, 5);
  const auto first = ann.packed();
  const auto second = bob.packed();
  const std::vector<std::span<const std::uint8_t>> both{first, second};
  const std::vector<std::span<const std::uint8_t>> one{first};
  const auto n_events = static_cast<std::size_t>(ProfileInteger::n_events);
  const auto alone = reader.read(one, kNow);
  CHECK(reader.read(both, kNow)->row.columns.integers[n_events][0] > alone->row.columns.integers[n_events][0]);
  CHECK(reader.read(one, kNow)->row.columns.integers == alone->row.columns.integers);
  CHECK_FALSE(reader.read({}, kNow).has_value());
  CHECK_FALSE(reader.read(one, 0).has_value());
}

TEST_CASE("money is of one currency, with the digits that it has") {
  KeptEvents kept;
  std::vector<KeptEvent> events(3);
  for (std::size_t i = 0; i < events.size(); ++i) {
    events[i].time = kNow - kDay + static_cast<std::int64_t>(i);
    events[i].type = kept.intern("buy");
    events[i].value = 7.0;
    events[i].currency = kept.intern(i == 1 ? "EUR" : "jpy");
  }
  events[0].value = 0.5;  // no whole yen
  kept.add(events);
  const auto packed = kept.pack(kRoom, 0);
  const std::vector<std::span<const std::uint8_t>> parts{packed};
  KeptProfileReader reader(reading(), plan(), offers(), rule());
  const auto made = reader.read(parts, kNow);
  REQUIRE(made.has_value());
  CHECK(made->currency == "jpy");
  CHECK(made->digits == 0);
  CHECK(made->row.columns.integers[static_cast<std::size_t>(ProfileInteger::spend_gross)][0] == 7);
  KeptReading fixed = reading();
  fixed.currency = "EUR";
  KeptProfileReader euros(fixed, plan(), offers(), rule());
  CHECK(euros.read(parts, kNow)->row.columns.integers[static_cast<std::size_t>(ProfileInteger::spend_gross)][0] == 700);
}

TEST_CASE("what does not fit is refused") {
  KeptReading other = reading();
  other.types.pop_back();
  CHECK_THROWS_AS(KeptProfileReader(other, plan(), offers(), rule()), Error);
  other = reading();
  other.offered.pop_back();
  CHECK_THROWS_AS(KeptProfileReader(other, plan(), offers(), rule()), Error);
  other = reading();
  other.dimensions = {KeptName::category, KeptName::brand};
  CHECK_THROWS_AS(KeptProfileReader(other, plan(), offers(), rule()), Error);
  KeptEvents kept;
  KeptEvent event;
  event.time = kNow - kDay;
  event.type = kept.intern("view");
  event.dwell = -1;
  kept.add(std::vector<KeptEvent>{event});
  const auto packed = kept.pack(kRoom, 0);
  const std::vector<std::span<const std::uint8_t>> parts{packed};
  KeptProfileReader reader(reading(), plan(), offers(), rule());
  CHECK_THROWS_WITH_AS(static_cast<void>(reader.read(parts, kNow)), doctest::Contains("dwell_ms"), Error);
}

}  // namespace
