#include "recocore/boosted_trees.hpp"

#include <doctest/doctest.h>

#include <limits>

#include "recocore/error.hpp"

namespace {

using namespace recocore;

// Feature 0 <= 1: 10; else feature 1 <= 5 (NaN left): 20, else 30. And a tree that is a leaf of 0.5.
BoostedTrees::Arrays two_trees() {
  return {{0, 5},
          {0, -1, 1, -1, -1, -1},
          {1.0, 0, 5.0, 0, 0, 0},
          {1, 0, 3, 0, 0, 0},
          {2, 0, 4, 0, 0, 0},
          {0, 0, 1, 0, 0, 0},
          {12.0, 10.0, 24.0, 20.0, 30.0, 0.5}};
}

TEST_CASE("a row goes left at its threshold, and NaN where its node says") {
  const BoostedTrees trees(two_trees(), 2, 100.0);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> rows{1.0, 9.0, 1.5, 5.0, 1.5, 5.1, 1.5, nan, nan, 9.0};
  const MatrixView<const double> view(rows.data(), 5, 2);
  CHECK(trees.score(view, {}) == std::vector<double>{110.5, 120.5, 130.5, 120.5, 130.5});
  const auto parts = trees.explain(view, {});
  CHECK(parts == std::vector<double>{-2, 0, 12, -4, 12, 6, 12, -4, 12, 6});
}

TEST_CASE("nodes that lead back or nowhere are refused") {
  const auto refused = [](auto change) {
    auto arrays = two_trees();
    change(arrays);
    CHECK_THROWS_AS(BoostedTrees(arrays, 2, 0.0), Error);
  };
  refused([](auto& a) { a.left[2] = 2; });
  refused([](auto& a) { a.right[0] = 6; });
  refused([](auto& a) { a.left[0] = -1; });
  refused([](auto& a) { a.feature[0] = 2; });
  refused([](auto& a) { a.feature[0] = -2; });
  refused([](auto& a) { a.roots[0] = 6; });
  refused([](auto& a) { a.value.pop_back(); });
  const BoostedTrees trees(two_trees(), 2, 0.0);
  const std::vector<double> row{1.0};
  CHECK_THROWS_AS((void)trees.score({row.data(), 1, 1}, {}), Error);
}

}  // namespace
