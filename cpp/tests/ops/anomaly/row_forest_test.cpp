#include "ops/anomaly/row_forest.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "rows.hpp"

using namespace recocore;

namespace {

constexpr std::int64_t kFeatures = 4;

ForestArrays grown(std::int64_t sampled) {
  const auto rows = some_rows(600, kFeatures, 11);
  return IsolationForest::fit(MatrixView<const double>(rows.data(), 600, kFeatures), 70, sampled, 4, {1, nullptr});
}

/// The length of a row's path through a tree, node by node in float64.
double walked(const ForestArrays& arrays, std::size_t tree, const double* row) {
  auto node = static_cast<std::size_t>(arrays.roots[tree]);
  while (arrays.feature[node] >= 0)
    node = static_cast<std::size_t>(arrays.left[node]) + (row[arrays.feature[node]] > arrays.threshold[node] ? 1 : 0);
  return arrays.path[node];
}

}  // namespace

TEST_CASE("a row comes to the leaf of each tree that it walks to in float64") {
  for (const std::int64_t sampled : {2, 16, 100, 256}) {
    const ForestArrays arrays = grown(sampled);
    const RowForest forest(arrays, RowForest::kMostHeight);
    REQUIRE_FALSE(forest.empty());
    const auto rows = some_rows(50, kFeatures, 12);
    RowScratch scratch;
    std::size_t undecided = 0;
    for (std::size_t r = 0; r < 50; ++r) {
      forest.find_paths(rows.data() + r * kFeatures, scratch);
      REQUIRE(scratch.paths.size() == arrays.roots.size());
      for (std::size_t t = 0; t < scratch.paths.size(); ++t) {
        if (std::isnan(scratch.paths[t]))
          ++undecided;
        else
          CHECK(scratch.paths[t] == walked(arrays, t, rows.data() + r * kFeatures));
      }
    }
    CHECK(undecided < 10);  // of 3,500 trees: values next to a threshold are rare
  }
}

TEST_CASE("a value on a threshold on its way leaves a tree undecided") {
  const ForestArrays arrays = grown(256);
  const RowForest forest(arrays, RowForest::kMostHeight);
  RowScratch scratch;
  for (std::size_t t = 0; t < arrays.roots.size(); ++t) {
    const auto root = static_cast<std::size_t>(arrays.roots[t]);
    if (arrays.feature[root] < 0) continue;
    std::vector<double> row(kFeatures, 0.0);
    row[static_cast<std::size_t>(arrays.feature[root])] = arrays.threshold[root];
    forest.find_paths(row.data(), scratch);
    CHECK(std::isnan(scratch.paths[t]));
  }
}

TEST_CASE("trees that are higher than it takes leave it empty") {
  const ForestArrays arrays = grown(256);
  CHECK(RowForest(arrays, RowForest::kMostHeight + 1).empty());
  CHECK(RowForest().empty());
}
