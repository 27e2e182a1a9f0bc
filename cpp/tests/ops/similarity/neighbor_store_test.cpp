#include "ops/similarity/neighbor_store.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <random>
#include <utility>
#include <vector>

namespace recocore {
namespace {

constexpr float kNoBound = -std::numeric_limits<float>::infinity();

TEST_CASE("keys are in the order of neighbours: score descending, then id ascending") {
  const std::vector<std::pair<float, std::int32_t>> best_first{
      {2.5F, 0}, {2.5F, 7}, {1e-30F, 3}, {-1e-30F, 2}, {-1.0F, 1}, {-1.0F, 2147483647}, {-9.0F, 0}};
  for (std::size_t n = 1; n < best_first.size(); ++n) {
    CAPTURE(n);
    CHECK(neighbor_key(best_first[n - 1].first, best_first[n - 1].second) >
          neighbor_key(best_first[n].first, best_first[n].second));
  }
}

TEST_CASE("a store keeps the best of what it is offered by any thread in any order") {
  constexpr std::int64_t kRows = 5;
  constexpr std::int32_t kOffers = 3000;
  for (const std::optional<std::int64_t> k :
       {std::optional<std::int64_t>(1), std::optional<std::int64_t>(40), std::optional<std::int64_t>()}) {
    MemoryBudget budget("test");
    NeighborStore store(kRows, k, -0.5F, budget);
    const auto score = [](std::int64_t row, std::int64_t id) {
      return static_cast<float>((id * 7919 + row * 31) % 200 - 100) / 64.0F;  // many ties
    };
    parallel_for({4, nullptr}, kRows * kOffers, 1, [&](std::int64_t begin, std::int64_t end, int) {
      for (std::int64_t n = begin; n < end; ++n) {
        const std::int64_t row = n % kRows;
        const auto id = static_cast<std::int32_t>(n / kRows);
        if (score(row, id) == 0.0F) continue;
        const NeighborKey key = neighbor_key(score(row, id), id);
        CHECK(store.offer(row, {&key, 1}) >= -0.5F);
      }
    });
    const CsrMatrix found = store.finish(kOffers, {4, nullptr});
    for (std::int64_t row = 0; row < kRows; ++row) {
      std::vector<std::pair<float, std::int32_t>> expected;
      for (std::int32_t id = 0; id < kOffers; ++id)
        if (score(row, id) != 0.0F && score(row, id) >= -0.5F) expected.emplace_back(-score(row, id), id);
      std::sort(expected.begin(), expected.end());
      if (k) expected.resize(std::min(expected.size(), static_cast<std::size_t>(*k)));
      std::sort(expected.begin(), expected.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
      const CsrView view = found.view();
      REQUIRE(view.row(row).size() == expected.size());
      for (std::size_t n = 0; n < expected.size(); ++n) {
        CHECK(view.row(row)[n] == expected[n].second);
        CHECK(view.row_values(row)[n] == -expected[n].first);
      }
    }
  }
}

TEST_CASE("a bound is raised once more have come than are needed") {
  MemoryBudget budget("test");
  NeighborStore store(1, 2, kNoBound, budget);
  CHECK(store.bound(0) == kNoBound);
  for (std::int32_t id = 0; id < 100; ++id) {
    const NeighborKey key = neighbor_key(static_cast<float>(id + 1), id);
    store.offer(0, {&key, 1});
  }
  CHECK(store.bound(0) > 50.0F);
  CHECK(store.bound(0) <= 99.0F);
}

}  // namespace
}  // namespace recocore
