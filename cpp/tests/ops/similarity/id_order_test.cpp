#include "ops/similarity/id_order.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

namespace recocore {
namespace {

TEST_CASE("neighbours come in the order of their ids, row after row, by few ids and by many") {
  std::mt19937 random(5);
  for (const std::int64_t ids : {std::int64_t{1}, std::int64_t{64}, std::int64_t{9000}, std::int64_t{3'000'000}}) {
    IdOrder order(ids);
    for (const std::int64_t count : {std::int64_t{0}, std::int64_t{1}, std::int64_t{100}, std::int64_t{5000}}) {
      CAPTURE(ids);
      CAPTURE(count);
      std::vector<std::pair<std::int32_t, float>> expected;
      for (std::int64_t n = 0; n < std::min(count, ids); ++n)
        expected.emplace_back(static_cast<std::int32_t>(n * ids / std::min(count, ids)), static_cast<float>(n) - 2.5F);
      std::vector<NeighborKey> keys;
      for (const auto& [id, score] : expected) keys.push_back(neighbor_key(score, id));
      std::shuffle(keys.begin(), keys.end(), random);
      std::vector<std::int32_t> found(keys.size());
      std::vector<float> scores(keys.size());
      order.write(keys, found.data(), scores.data());
      for (std::size_t n = 0; n < expected.size(); ++n) {
        CHECK(found[n] == expected[n].first);
        CHECK(scores[n] == expected[n].second);
      }
    }
  }
}

}  // namespace
}  // namespace recocore
