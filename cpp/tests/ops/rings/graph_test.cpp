#include "ops/rings/graph.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "recocore/error.hpp"

using namespace recocore;

TEST_CASE("of repeated edges the heaviest stays, and hubs and weightless edges go") {
  const std::vector<std::int32_t> account{1, 0, 1, 1, 2, 0};
  const std::vector<std::int32_t> entity{2, 0, 2, 0, 0, 1};
  const std::vector<double> weight{0.5, 1, 2, 1, 1, 0};
  const Adjacency rows = by_account({3, 3, account, entity, weight}, 0);
  CHECK(rows.begin == std::vector<std::int64_t>{0, 1, 3, 4});
  CHECK(rows.neighbour == std::vector<std::int32_t>{0, 0, 2, 0});
  CHECK(rows.weight == std::vector<double>{1, 1, 2, 1});
  const Adjacency columns = transposed(rows, 3);
  CHECK(columns.begin == std::vector<std::int64_t>{0, 3, 3, 4});
  CHECK(columns.neighbour == std::vector<std::int32_t>{0, 1, 2, 1});
  CHECK(columns.weight == std::vector<double>{1, 1, 1, 2});
  CHECK(by_account({3, 3, account, entity, weight}, 2).neighbour == std::vector<std::int32_t>{2});
}

TEST_CASE("indices out of range and weights that are none are refused") {
  const std::vector<std::int32_t> good{0};
  const std::vector<std::int32_t> bad{1};
  const std::vector<double> negative{-1};
  CHECK_THROWS_AS((void)by_account({1, 1, bad, good, {}}, 0), Error);
  CHECK_THROWS_AS((void)by_account({1, 1, good, bad, {}}, 0), Error);
  CHECK_THROWS_AS((void)by_account({1, 1, good, good, negative}, 0), Error);
}
