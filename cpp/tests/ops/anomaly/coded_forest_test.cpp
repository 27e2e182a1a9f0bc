#include "ops/anomaly/coded_forest.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/forest/kernel.hpp"
#include "rows.hpp"

using namespace recocore;

namespace {

constexpr std::int64_t kFeatures = 3;

}  // namespace

TEST_CASE("the paths of a block of rows are summed as they are walked in float64") {
  const auto learnt = some_rows(500, kFeatures, 21);
  const ForestArrays arrays =
      IsolationForest::fit(MatrixView<const double>(learnt.data(), 500, kFeatures), 40, 256, 6, {1, nullptr});
  const CodedForest forest(arrays, 8);
  REQUIRE_FALSE(forest.empty());
  const auto rows = static_cast<std::size_t>(kernels::kCodedRows);
  const auto drawn = some_rows(kernels::kCodedRows, kFeatures, 22);
  std::vector<double> columns(rows * kFeatures);
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t j = 0; j < kFeatures; ++j) columns[j * rows + r] = drawn[r * kFeatures + j];
  columns[5] = arrays.threshold[static_cast<std::size_t>(arrays.roots[0])];  // a value on a threshold goes left
  for (const std::size_t count : {std::size_t{1}, std::size_t{17}, rows}) {
    std::vector<double> sums(rows, -1);
    CodedForest::Scratch scratch;
    forest.sum_paths(columns.data(), static_cast<std::int64_t>(count), sums.data(), scratch);
    for (std::size_t r = 0; r < count; ++r) {
      double expected = 0;
      for (const std::int32_t root : arrays.roots) {
        auto node = static_cast<std::size_t>(root);
        while (arrays.feature[node] >= 0) {
          const double value = columns[static_cast<std::size_t>(arrays.feature[node]) * rows + r];
          node = static_cast<std::size_t>(arrays.left[node]) + (value > arrays.threshold[node] ? 1 : 0);
        }
        expected += arrays.path[node];
      }
      CHECK(sums[r] == expected);
    }
    CHECK(std::count(sums.begin() + static_cast<std::ptrdiff_t>(count), sums.end(), -1) ==
          static_cast<std::ptrdiff_t>(rows - count));
  }
}

TEST_CASE("trees that are too high for numbers leave it empty") {
  const auto learnt = some_rows(100, kFeatures, 23);
  const ForestArrays arrays =
      IsolationForest::fit(MatrixView<const double>(learnt.data(), 100, kFeatures), 3, 50, 6, {1, nullptr});
  CHECK(CodedForest(arrays, 11).empty());
  CHECK(CodedForest(arrays, 0).empty());
}
