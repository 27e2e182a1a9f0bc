#include "ops/anomaly/isolation_tree.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

using namespace recocore;

TEST_CASE("rows are drawn without replacement and evenly") {
  SplitMix64 random(4);
  std::vector<int> drawn(20, 0);
  for (int trial = 0; trial < 2000; ++trial) {
    const auto rows = draw_rows(20, 5, random);
    CHECK(rows.size() == 5);
    CHECK(std::adjacent_find(rows.begin(), rows.end(), std::greater_equal<>()) == rows.end());
    for (const auto row : rows) ++drawn[static_cast<std::size_t>(row)];
  }
  for (const int count : drawn) CHECK(std::abs(count - 500) < 100);  // five standard deviations
  CHECK(draw_rows(3, 3, random) == std::vector<std::int64_t>{0, 1, 2});
}

TEST_CASE("rows that are all equal make one leaf") {
  SplitMix64 random(4);
  const TreeSample sample{std::vector<double>(30, 7.0), 10, 3};
  const ForestArrays tree = grow_tree(sample, 4, random);
  CHECK(tree.feature == std::vector<std::int32_t>{-1});
  CHECK(tree.path[0] == mean_search_length(10));
}
