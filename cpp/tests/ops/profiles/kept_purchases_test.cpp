#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <set>

#include "recocore/error.hpp"
#include "recocore/kept_events.hpp"

namespace {

using recocore::KeptPurchases;

constexpr std::int64_t kHour = 3'600'000'000;
constexpr std::int64_t kDay = 24 * kHour;
constexpr std::int64_t kStart = 1'600'000'000'000'000;

std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  return a / b - static_cast<std::int64_t>(a % b != 0 && a < 0);
}

std::set<std::int64_t> local_days(const std::vector<std::int64_t>& times, std::int64_t offset) {
  std::set<std::int64_t> days;
  for (const std::int64_t time : times) days.insert(floor_divide(time + offset, kDay));
  return days;
}

TEST_CASE("the days of purchases are right in every zone") {
  std::mt19937 draw(7);
  for (int round = 0; round < 50; ++round) {
    KeptPurchases kept;
    std::vector<std::int64_t> times;
    for (int i = 0; i < 30; ++i) {
      times.push_back(kStart - static_cast<std::int64_t>(draw() % 40'000) * 60'000'000 * (round % 2 == 0 ? 1 : 1'000));
      kept.add(times.back());
    }
    const auto packed = kept.pack(1'000);
    KeptPurchases read;
    REQUIRE(read.unpack(packed) == packed.size());
    CHECK(read.moments() == kept.moments());
    CHECK(read.moments().front() == *std::ranges::min_element(times));
    for (std::int64_t quarter = -48; quarter <= 56; ++quarter)
      CHECK(local_days(read.moments(), quarter * kHour / 4) == local_days(times, quarter * kHour / 4));
  }
}

TEST_CASE("little room keeps the first and the newest, whatever order they came in") {
  std::vector<std::int64_t> times;
  for (int day = 0; day < 200; ++day) times.push_back(kStart + day * kDay);
  KeptPurchases all;
  for (const std::int64_t time : times) all.add(time);
  const auto packed = all.pack(100);
  CHECK(packed.size() <= 100);
  std::ranges::shuffle(times, std::mt19937(3));
  KeptPurchases turns;
  for (const std::int64_t time : times) {
    turns.add(time);
    const auto now = turns.pack(100);
    turns.unpack(now);
  }
  CHECK(turns.pack(100) == packed);
  KeptPurchases read;
  read.unpack(packed);
  CHECK(read.moments().front() == kStart);
  CHECK(read.moments().size() > 80);
  CHECK(kStart + 199 * kDay - read.moments().back() < kHour / 4);
}

TEST_CASE("what is dropped is gone, and merging is adding") {
  KeptPurchases kept;
  for (int day = 0; day < 9; ++day) kept.add(kStart + day * kDay + 1);
  KeptPurchases other;
  other.add(kStart - kDay);
  other.merge(kept);
  CHECK(other.moments().size() == 10);
  other.drop_before(kStart + 5 * kDay);
  CHECK(other.moments().front() >= kStart + 5 * kDay);
  CHECK(other.moments().size() == 3);  // the quarter of the day itself begins before
  other.drop_before(kStart + 30 * kDay);
  CHECK(other.empty());
  CHECK(other.moments().empty());
}

TEST_CASE("other bytes are refused") {
  KeptPurchases kept;
  for (int day = 0; day < 9; ++day) kept.add(kStart + day * kDay);
  const auto packed = kept.pack(100);
  for (std::size_t size = 0; size < packed.size(); ++size)
    CHECK_THROWS_AS(KeptPurchases().unpack(std::span(packed).first(size)), recocore::Error);
  std::mt19937 draw(5);
  for (int round = 0; round < 2'000; ++round) {
    auto other = packed;
    other[draw() % other.size()] = static_cast<std::uint8_t>(draw());
    try {
      KeptPurchases read;
      read.unpack(other);
      CHECK(std::ranges::is_sorted(read.moments()));
    } catch (const recocore::Error&) {
    }
  }
}

}  // namespace
