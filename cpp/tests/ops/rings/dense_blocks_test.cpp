#include "recocore/rings/dense_blocks.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

using namespace recocore;

TEST_CASE("two full blocks are found, the denser one first, with the paper's density") {
  std::vector<std::int32_t> account;
  std::vector<std::int32_t> entity;
  for (std::int32_t r = 0; r < 6; ++r)
    for (std::int32_t c = 0; c < 5; ++c) {
      account.push_back(r);
      entity.push_back(c);
    }
  for (std::int32_t r = 6; r < 10; ++r)
    for (std::int32_t c = 5; c < 9; ++c) {
      account.push_back(r);
      entity.push_back(c);
    }
  const auto blocks = dense_blocks({10, 9, account, entity, {}}, {5, 0, 0, {}}, {1, nullptr});
  REQUIRE(blocks.size() == 2);
  CHECK(blocks[0].accounts == std::vector<std::int32_t>{0, 1, 2, 3, 4, 5});
  CHECK(blocks[0].entities == std::vector<std::int32_t>{0, 1, 2, 3, 4});
  CHECK(blocks[0].density == doctest::Approx(30 / std::log(11.0) / 11));
  CHECK(blocks[1].accounts == std::vector<std::int32_t>{6, 7, 8, 9});
  CHECK(blocks[1].density == doctest::Approx(16 / std::log(9.0) / 8));
}
