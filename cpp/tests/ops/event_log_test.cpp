#include "recocore/event_log.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace recocore;
using Id = std::pair<std::uint64_t, std::uint64_t>;

/// Halves as a file has them.
struct Halves {
  explicit Halves(std::vector<Id> ids) {
    std::ranges::sort(ids);
    for (const auto& [first, second] : ids) {
      high.push_back(first);
      low.push_back(second);
    }
  }
  [[nodiscard]] bool has(const Id& id) const { return holds_event_id({high, low}, id.first, id.second); }
  std::vector<std::uint64_t> high, low;
};

TEST_CASE("ids are found, and no others, however they are spread") {
  std::mt19937_64 rng(7);
  for (const std::uint64_t mask : {~std::uint64_t{0}, std::uint64_t{0xff}, ~std::uint64_t{0} << 56, std::uint64_t{0}}) {
    for (const int count : {0, 1, 2, 33, 5'000}) {
      std::vector<Id> ids;
      for (int i = 0; i < count; ++i) ids.emplace_back(rng() & mask, rng() % 1'000);
      const Halves file(ids);
      for (const Id& id : ids) CHECK(file.has(id));
      for (int i = 0; i < 500; ++i) {
        const Id id{rng() & mask, rng() % 1'000};
        CHECK(file.has(id) == (std::ranges::find(ids, id) != ids.end()));
      }
      for (const Id& edge : {Id{0, 0}, Id{~std::uint64_t{0}, 5'000}})
        CHECK(file.has(edge) == (std::ranges::find(ids, edge) != ids.end()));
    }
  }
}

TEST_CASE("a filter passes all that it holds, and few others") {
  std::mt19937_64 rng(7);
  for (const std::size_t count : {0U, 1U, 3U, 100'000U}) {
    std::vector<Id> ids;
    for (std::size_t i = 0; i < count; ++i) ids.emplace_back(rng(), rng());
    const Halves file(ids);
    EventIdFilter filter(count);
    filter.add({file.high, file.low});
    for (const auto& [high, low] : ids) CHECK(filter.may_hold(high, low));
    int passed = 0;
    for (int i = 0; i < 10'000; ++i) passed += filter.may_hold(rng(), rng()) ? 1 : 0;
    CHECK(passed < (count > 3 ? 200 : 10'000));
    CHECK((count > 0 || passed == 0));
  }
}

std::string row(char kind, std::int64_t time, char id, std::size_t payload) {
  std::string bytes(1, kind);
  bytes.append(4, 's');
  bytes.append(reinterpret_cast<const char*>(&time), sizeof time);
  bytes.append(16, 'u');
  bytes.append(16, id);
  const auto length = static_cast<std::uint32_t>(payload);
  bytes.append(reinterpret_cast<const char*>(&length), sizeof length);
  return bytes.append(payload, 'p');
}

TEST_CASE("heads of a frame") {
  const std::string rows = row(1, 50, 'a', 3) + row(3, 1, '\0', 8) + row(1, 20, '\0', 0) + row(1, 70, 'b', 9);
  const auto heads = frame_heads(rows, 4);
  REQUIRE(heads);
  CHECK(heads->events == 3);
  CHECK(heads->oldest == 20);
  CHECK(heads->newest == 70);
  CHECK(heads->ids == std::string(16, 'a') + std::string(16, 'b'));
  CHECK(!frame_heads(rows, 3));
  CHECK(!frame_heads(rows, 5));
  CHECK(frame_heads("", 0));
  std::mt19937 rng(1);
  for (int round = 0; round < 5'000; ++round) {
    std::string bytes = rows.substr(0, rng() % (rows.size() + 1));
    if (!bytes.empty()) bytes[rng() % bytes.size()] = static_cast<char>(rng());
    if (const auto found = frame_heads(bytes, rng() % 5)) CHECK(found->ids.size() <= 64);
  }
}

}  // namespace
