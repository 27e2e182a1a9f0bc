#include "recocore/velocity.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <set>
#include <vector>

#include "recocore/error.hpp"

namespace {

using namespace recocore;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

VelocityParams small_params() {
  VelocityParams params;
  params.id_columns = 2;
  params.number_columns = 1;
  params.tables = {{0}, {1}, {0, 1}};
  params.exact_window = 100;
  params.exact_events = 8;
  params.tiles = 10;
  params.max_distinct = 4;
  params.memory_bytes = 64 << 20;
  params.counters = {{0, 50, VelocityStatistic::count, 0, {}},    {0, 50, VelocityStatistic::sum, 0, {}},
                     {0, 50, VelocityStatistic::min, 0, {}},      {0, 50, VelocityStatistic::ratio, 0, {}},
                     {1, 1000, VelocityStatistic::count, 0, {}},  {1, 1000, VelocityStatistic::max, 0, {}},
                     {1, 50, VelocityStatistic::distinct, 0, {}}, {2, 50, VelocityStatistic::count, 0, {7}}};
  return params;
}

struct Log {
  std::vector<std::uint64_t> ids;
  std::vector<std::int64_t> times;
  std::vector<double> numbers;
  std::vector<std::uint64_t> types;

  void add(std::uint64_t first, std::uint64_t second, std::int64_t time, double number, std::uint64_t type = 1) {
    ids.insert(ids.end(), {first, second});
    times.push_back(time);
    numbers.push_back(number);
    types.push_back(type);
  }
  [[nodiscard]] std::vector<double> run(Velocity& velocity, std::size_t begin, std::size_t end) const {
    const auto rows = static_cast<std::int64_t>(end - begin);
    std::vector<double> features((end - begin) * velocity.counters());
    velocity.update({{ids.data() + 2 * begin, rows, 2},
                     std::span(times).subspan(begin, end - begin),
                     {numbers.data() + begin, rows, 1},
                     std::span(types).subspan(begin, end - begin)},
                    {features.data(), rows, static_cast<std::int64_t>(velocity.counters())});
    return features;
  }
  [[nodiscard]] std::vector<double> run(Velocity& velocity) const { return run(velocity, 0, times.size()); }
};

Log random_log(std::size_t rows, std::uint64_t keys) {
  std::mt19937_64 random(5);
  Log log;
  std::int64_t time = 0;
  for (std::size_t i = 0; i < rows; ++i) {
    time += static_cast<std::int64_t>(random() % 4);
    const auto late = static_cast<std::int64_t>(random() % 10 == 0 ? random() % 80 : 0);
    log.add(random() % (keys + 1), 1 + random() % keys, time - late,
            random() % 9 == 0 ? kNaN : static_cast<double>(random() % 1000) / 8.0, random() % 2 == 0 ? 7 : 1);
  }
  return log;
}

bool same(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (!(a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i])))) return false;
  return true;
}

TEST_CASE("an event is in a window until exactly its length later, and itself is not counted") {
  Velocity velocity(small_params(), {1, 2});
  Log log;
  log.add(5, 6, 0, 3.0);
  log.add(5, 6, 0, 4.0);
  log.add(5, 6, 49, 2.0);
  log.add(5, 6, 50, 1.0);
  const auto features = log.run(velocity);
  const auto count = [&](std::size_t row) { return features[row * 8]; };
  CHECK(count(0) == 0);
  CHECK(count(1) == 1);
  CHECK(count(2) == 2);
  CHECK(features[2 * 8 + 1] == 7.0);
  CHECK(features[2 * 8 + 2] == 3.0);
  CHECK(features[2 * 8 + 3] == doctest::Approx(2.0 / 3.5));
  CHECK(count(3) == 1);
  CHECK(std::isnan(features[2]));
}

TEST_CASE("sums are exact whatever has come and gone") {
  auto params = small_params();
  Velocity velocity(params, {1, 2});
  Log log;
  for (int i = 0; i < 10000; ++i) log.add(1, 2, i * 10, i % 3 == 0 ? 1e11 : 0.1);
  log.add(1, 2, 10000 * 10 + 100, 0.0);
  log.add(1, 2, 10000 * 10 + 101, 0.1);
  log.add(1, 2, 10000 * 10 + 102, 0.2);
  log.add(1, 2, 10000 * 10 + 103, 0.2);
  const auto features = log.run(velocity);
  CHECK(features[10003 * 8 + 1] == 0.3);
}

TEST_CASE("batches and checkpoints leave no trace in the features, short of memory or not") {
  std::uint64_t keys = 0;
  bool alike = false;
  SUBCASE("enough") {
    keys = 12;
  }
  SUBCASE("short") {
    keys = 6000;
  }
  SUBCASE("short, with keys whose lower halves are often equal") {
    keys = 6000;
    alike = true;
  }
  auto params = small_params();
  params.memory_bytes = 3 << 20;
  Log log = random_log(keys == 12 ? 4000 : 15000, keys);
  if (alike)
    for (std::uint64_t& id : log.ids) id = id == 0 ? 0 : id << 28U | 5U;
  Velocity whole(params, {1, 2});
  const auto expected = log.run(whole);
  CHECK((whole.evicted() > 0) == (keys == 6000));
  Velocity parts(params, {1, 2});
  std::vector<double> got;
  std::mt19937_64 random(9);
  for (std::size_t begin = 0; begin < log.times.size();) {
    const std::size_t end = std::min(log.times.size(), begin + 1 + random() % 97);
    const auto some = log.run(parts, begin, end);
    got.insert(got.end(), some.begin(), some.end());
    begin = end;
    if (random() % 8 == 0) {
      Velocity next(params, {1, 2});
      next.restore(parts.state());
      CHECK(next.keys() == parts.keys());
      CHECK(next.bytes() == parts.bytes());
      parts = std::move(next);
    }
  }
  CHECK(same(expected, got));
  CHECK(whole.evicted() == parts.evicted());
}

// Every counter by its definition, from all events of the key that came before, in the given order of arrival.
double plain(const VelocityParams& params, const VelocityCounter& counter, const Log& log, std::size_t row) {
  const std::vector<int>& columns = params.tables[static_cast<std::size_t>(counter.table)];
  const auto id = [&](std::size_t at, int column) { return log.ids[2 * at + static_cast<std::size_t>(column)]; };
  if (std::ranges::any_of(columns, [&](int column) { return id(row, column) == 0; })) return kNaN;
  const auto alike = [&](std::size_t at) {
    return std::ranges::all_of(columns, [&](int column) { return id(at, column) == id(row, column); });
  };
  std::int64_t clock = log.times[row];
  for (std::size_t at = 0; at < row; ++at)
    if (alike(at)) clock = std::max(clock, log.times[at]);
  double count = 0;
  double valued = 0;
  double sum = 0;
  double least = kNaN;
  double most = kNaN;
  std::set<std::uint64_t> ids;
  for (std::size_t at = 0; at < row; ++at) {
    const bool counted = counter.types.empty() || counter.types[0] == log.types[at];
    if (!counted || log.times[at] <= clock - counter.window || !alike(at)) continue;
    ++count;
    if (counter.statistic == VelocityStatistic::distinct && id(at, counter.column) != 0)
      ids.insert(id(at, counter.column));
    const double number = log.numbers[at];
    if (std::isnan(number)) continue;
    ++valued;
    sum += number;  // eighths: exact
    least = std::isnan(least) ? number : std::min(least, number);
    most = std::isnan(most) ? number : std::max(most, number);
  }
  switch (counter.statistic) {
    case VelocityStatistic::count: return count;
    case VelocityStatistic::distinct: return static_cast<double>(ids.size());
    case VelocityStatistic::sum: return sum;
    case VelocityStatistic::mean: return valued > 0 ? sum / valued : kNaN;
    case VelocityStatistic::min: return least;
    case VelocityStatistic::max: return most;
    case VelocityStatistic::ratio: return valued > 0 && sum != 0 ? log.numbers[row] / (sum / valued) : kNaN;
  }
  return kNaN;
}

TEST_CASE("exact windows say what their definition says, by few events or by many, late ones and restores among them") {
  auto params = small_params();
  params.exact_window = 1000;
  params.exact_events = 1 << 20;
  params.max_distinct = 1 << 16;
  params.counters.push_back({0, 1000, VelocityStatistic::sum, 0, {7}});
  params.counters.push_back({0, 300, VelocityStatistic::mean, 0, {7}});
  params.counters.push_back({0, 300, VelocityStatistic::distinct, 1, {1}});
  params.counters.push_back({1, 9, VelocityStatistic::distinct, 0, {}});
  std::uint64_t keys = 0;
  SUBCASE("few events a key, which come and go") {
    keys = 40;
  }
  SUBCASE("more than are kept one by one") {
    keys = 5;
  }
  SUBCASE("more windows than one list is read for") {
    keys = 40;
    for (int i = 0; i < 70; ++i)
      params.counters.push_back({0, 10 + i, VelocityStatistic::sum, 0, {i % 2 == 0 ? 7U : 1U}});
  }
  bool alike = false;
  SUBCASE("keys whose lower halves are equal") {
    keys = 40;
    alike = true;
  }
  Log log = random_log(500, keys);
  if (alike)
    for (std::uint64_t& id : log.ids) id = id == 0 ? 0 : id << 32U | 5U;
  Velocity velocity(params, {1, 2});
  for (std::size_t row = 0; row < log.times.size(); ++row) {
    const auto features = log.run(velocity, row, row + 1);
    for (std::size_t c = 0; c < params.counters.size(); ++c)
      REQUIRE(same({features[c]}, {plain(params, params.counters[c], log, row)}));
    if (row % 91 == 0) {
      Velocity next(params, {1, 2});
      next.restore(velocity.state());
      velocity = std::move(next);
    }
  }
}

TEST_CASE("tiles are the same by few events as by buckets") {
  // One event kept one by one at most, and so buckets from the second on, beside 32.
  auto few = small_params();
  few.exact_events = 64;
  few.max_distinct = 64;
  auto none = few;
  few.counters.push_back({0, 1000, VelocityStatistic::min, 0, {}});
  // The longer of two windows may begin with a later tile.
  for (const std::int64_t length : {1030, 1005, 990})
    few.counters.push_back({0, length, VelocityStatistic::sum, 0, {}});
  few.counters.push_back({2, 700, VelocityStatistic::ratio, 0, {1}});
  none.counters = few.counters;
  none.counters.push_back({0, 1'000'000, VelocityStatistic::count, 0, {99}});  // never counts, and keeps nothing
  none.max_distinct = 1;
  std::erase_if(few.counters, [](const auto& c) { return c.statistic == VelocityStatistic::distinct; });
  std::erase_if(none.counters, [](const auto& c) { return c.statistic == VelocityStatistic::distinct; });
  for (const std::uint64_t keys : {4U, 40U, 400U}) {
    const Log log = random_log(3000, keys);
    Velocity one(few, {1, 2});
    Velocity other(none, {1, 2});
    const auto by_few = log.run(one);
    const auto by_buckets = log.run(other);
    for (std::size_t row = 0; row < log.times.size(); ++row)
      for (std::size_t c = 0; c < few.counters.size(); ++c)
        REQUIRE(same({by_few[row * few.counters.size() + c]}, {by_buckets[row * none.counters.size() + c]}));
  }
}

TEST_CASE("the longest windows at the ends of time neither overflow nor lose an event") {
  constexpr std::int64_t kEnd = 3'155'760'000'000'000'000;
  auto params = small_params();
  params.tiles = 1;
  params.exact_window = 0;
  params.counters = {{0, kEnd, VelocityStatistic::count, 0, {}}, {0, kEnd, VelocityStatistic::distinct, 1, {}}};
  params.tables = {{0}};
  Velocity velocity(params, {1, 2});
  Log log;
  for (const std::int64_t time : {-kEnd, -kEnd, -kEnd + 1, std::int64_t{-1}, kEnd, kEnd}) log.add(1, 2, time, 1.0);
  const auto features = log.run(velocity);
  CHECK(std::vector<double>{features[2], features[4], features[6]} == std::vector<double>{1, 2, 3});
  CHECK(std::vector<double>{features[3], features[7], features[9]} == std::vector<double>{1, 1, 0});
  CHECK(features[10] == 1);
}

TEST_CASE("a state of the first version goes on") {
  // One key of 2 events of time 0 and 5, as version 1 wrote it: evicted, keys, then key, clock and one window of two
  // buckets.
  VelocityParams params;
  params.id_columns = 1;
  params.number_columns = 1;
  params.tables = {{0}};
  params.exact_window = 100;
  params.exact_events = 8;
  params.tiles = 10;
  params.max_distinct = 4;
  params.memory_bytes = 64 << 20;
  params.counters = {{0, 50, VelocityStatistic::sum, 0, {}}};
  std::vector<std::uint8_t> state;
  const auto put = [&](auto value) {
    const auto* first = reinterpret_cast<const std::uint8_t*>(&value);
    state.insert(state.end(), first, first + sizeof value);
  };
  put(std::int64_t{0});
  put(std::uint64_t{1});
  put(std::uint64_t{9});
  put(std::int64_t{5});
  put(std::uint8_t{0});
  put(std::uint64_t{2});
  for (const std::int64_t time : {0, 5}) {
    put(time);
    put(std::uint32_t{1});
    put(std::uint32_t{1});
    put(std::uint64_t{2'500'000});  // millionths, 128 bits
    put(std::uint64_t{0});
    put(2.5);
    put(2.5);
  }
  Velocity velocity(params, {1, 2});
  velocity.restore(state);
  CHECK(velocity.keys() == 1);
  const std::vector<std::uint64_t> ids{9, 9};
  const std::vector<std::int64_t> times{6, 52};
  const std::vector<double> numbers{1.0, 0.0};
  const std::vector<std::uint64_t> types{1, 1};
  std::vector<double> features(2);
  velocity.update({{ids.data(), 2, 1}, times, {numbers.data(), 2, 1}, types}, {features.data(), 2, 1});
  CHECK(features == std::vector<double>{5.0, 3.5});
}

TEST_CASE("a state that is cut or changed is refused, and changes nothing") {
  Velocity velocity(small_params(), {1, 2});
  (void)random_log(300, 9).run(velocity);
  const auto state = velocity.state();
  Velocity other(small_params(), {1, 2});
  for (std::size_t size = 0; size < state.size(); size += 1 + size / 7)
    CHECK_THROWS_AS(other.restore(std::span(state).first(size)), Error);
  auto longer = state;
  longer.push_back(0);
  CHECK_THROWS_AS(other.restore(longer), Error);
  std::mt19937_64 random(4);
  for (int i = 0; i < 500; ++i) {  // never anything but an Error, whatever the bytes say
    auto changed = state;
    changed[random() % changed.size()] = static_cast<std::uint8_t>(random());
    try {
      Velocity taken(small_params(), {1, 2});
      taken.restore(changed);
      (void)random_log(50, 9).run(taken);
    } catch (const Error&) {
    }
  }
  CHECK(other.keys() == 0);
}

TEST_CASE("memory stays inside its share, and who was seen last is kept") {
  auto params = small_params();
  params.tables = {{0}};
  for (auto& counter : params.counters) counter.table = 0;
  params.memory_bytes = 2 << 20;
  Velocity velocity(params, {1, 2});
  Log log;
  for (std::uint64_t i = 1; i <= 60000; ++i) {
    log.add(i + 100, 1, static_cast<std::int64_t>(i), 1.0);
    if (i % 100 == 0) log.add(7, 1, static_cast<std::int64_t>(i), 1.0);
  }
  const auto features = log.run(velocity);
  CHECK(velocity.bytes() <= params.memory_bytes);
  CHECK(velocity.evicted() > 0);
  CHECK(velocity.keys() + velocity.evicted() == 60001);
  CHECK(features[(log.times.size() - 1) * 8 + 4] >= 9);  // key 7 kept its window of 1000
}

TEST_CASE("tiles count every event of the window and none older than a tile more") {
  auto params = small_params();
  params.counters = {{0, 1000, VelocityStatistic::count, 0, {}}};
  params.tables = {{0}};
  Velocity velocity(params, {1, 2});
  std::mt19937_64 random(3);
  Log log;
  std::int64_t time = -5000;
  for (int i = 0; i < 5000; ++i) {
    log.add(1, 1, time, 1.0);
    time += static_cast<std::int64_t>(random() % 20);
  }
  const auto features = log.run(velocity);
  for (std::size_t i = 0; i < features.size(); ++i) {
    double least = 0;
    double most = 0;
    for (std::size_t j = 0; j < i; ++j) {
      least += log.times[j] > log.times[i] - 1000 ? 1 : 0;
      most += log.times[j] > log.times[i] - 1100 ? 1 : 0;
    }
    REQUIRE(features[i] >= least);
    REQUIRE(features[i] <= most);
  }
}

TEST_CASE("SipHash-1-3 differs by key and by every bit, and is never 0") {
  std::set<std::uint64_t> seen;
  std::string text = "device-0123456789";
  seen.insert(keyed_hash(text, {1, 2}));
  seen.insert(keyed_hash(text, {1, 3}));
  for (std::size_t bit = 0; bit < text.size() * 8; ++bit) {
    std::string other = text;
    other[bit / 8] = static_cast<char>(other[bit / 8] ^ (1 << (bit % 8)));
    seen.insert(keyed_hash(other, {1, 2}));
  }
  for (std::size_t size = 0; size < text.size(); ++size) seen.insert(keyed_hash(text.substr(0, size), {1, 2}));
  CHECK(seen.size() == 2 + text.size() * 9);
  CHECK(!seen.contains(0));
}

TEST_CASE("parameters out of range are refused by name") {
  const auto refused = [](auto change) {
    auto params = small_params();
    change(params);
    CHECK_THROWS_AS(Velocity(params, {1, 2}), Error);
  };
  refused([](auto& p) { p.tables.clear(); });
  refused([](auto& p) { p.tables[0] = {2}; });
  refused([](auto& p) { p.counters[0].table = 3; });
  refused([](auto& p) { p.counters[0].window = 0; });
  refused([](auto& p) { p.counters[1].column = 1; });
  refused([](auto& p) { p.tiles = 0; });
  refused([](auto& p) { p.memory_bytes = 1000; });
  Velocity velocity(small_params(), {1, 2});
  Log log;
  log.add(1, 1, std::numeric_limits<std::int64_t>::max(), 1.0);
  CHECK_THROWS_AS(log.run(velocity), Error);
  CHECK(velocity.keys() == 0);
}

}  // namespace
