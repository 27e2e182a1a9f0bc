#include "ops/als_plan.hpp"

#include <doctest/doctest.h>

#include <vector>

TEST_CASE("rows are taken block by block, after those that all threads share") {
  const std::vector<std::int64_t> indptr{0, 5, 6, 9, 11, 20, 24, 33};  // lengths 5 1 3 2 9 4 9
  const std::vector<std::int32_t> indices(33, 0);
  const recocore::CsrPattern matrix{7, 1, indptr, indices};
  CHECK(recocore::row_order(matrix, 8, 8) == std::vector<std::int32_t>{4, 6, 0, 2, 1, 3, 5});
  CHECK(recocore::row_order(matrix, 9, 8) == std::vector<std::int32_t>{0, 2, 1, 4, 3, 6, 5});
  CHECK(recocore::row_order(matrix, 9, 1000) == std::vector<std::int32_t>{4, 6, 0, 5, 2, 3, 1});
  CHECK(recocore::row_order({0, 1, std::vector<std::int64_t>{0}, {}}, 9, 8).empty());
}
