#include "recocore/anomaly/isolation_forest.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "recocore/error.hpp"
#include "rows.hpp"

using namespace recocore;

TEST_CASE("the mean search length is the paper's") {
  CHECK(mean_search_length(0) == 0);
  CHECK(mean_search_length(1) == 0);
  CHECK(mean_search_length(2) == 1);
  CHECK(mean_search_length(256) == doctest::Approx(10.2447706));
}

TEST_CASE("rows scored one by one and together have the same bytes, with and without missing values") {
  constexpr std::int64_t kRows = 1111;
  constexpr std::int64_t kFeatures = 4;
  for (const bool missing : {false, true}) {
    auto rows = some_rows(kRows, kFeatures, 3);
    if (missing)
      for (std::size_t i = 0; i < rows.size(); i += 13) rows[i] = std::numeric_limits<double>::quiet_NaN();
    const MatrixView<const double> view(rows.data(), kRows, kFeatures);
    const IsolationForest forest(IsolationForest::fit(view, 37, 200, 9, {2, nullptr}));
    std::vector<double> together(kRows);
    forest.score(view, together, {3, nullptr});
    for (std::int64_t r = 0; r < kRows; r += 61) {
      double alone = 0;
      forest.score(MatrixView<const double>(rows.data() + r * kFeatures, 1, kFeatures), {&alone, 1}, {1, nullptr});
      CHECK(alone == together[static_cast<std::size_t>(r)]);
    }
  }
}

TEST_CASE("a row that lies on thresholds, far from 0 or far out is scored alone as among others") {
  constexpr std::int64_t kRows = 300;
  constexpr std::int64_t kFeatures = 3;
  // Trees on 300 rows are higher than the form for one row takes; those on 20 are low.
  for (const std::int64_t sampled : {20, 256, 300}) {
    auto rows = some_rows(kRows, kFeatures, 5);
    for (std::int64_t r = 0; r < kRows; ++r) {
      double* row = rows.data() + r * kFeatures;
      row[0] = 1.7e15 + row[0];             // float32 knows no difference
      row[1] = std::pow(10.0, 4 * row[1]);  // from next to nothing to very much
    }
    const ForestArrays arrays =
        IsolationForest::fit(MatrixView<const double>(rows.data(), kRows, kFeatures), 30, sampled, 2, {1, nullptr});
    for (std::size_t node = 0; node < arrays.feature.size(); ++node) {
      if (arrays.feature[node] < 0 || rows.size() >= static_cast<std::size_t>(2 * kRows * kFeatures)) continue;
      const std::size_t copied = (node * 7 % kRows) * kFeatures;
      for (std::size_t j = 0; j < kFeatures; ++j) rows.push_back(rows[copied + j]);
      double& value = rows[rows.size() - kFeatures + static_cast<std::size_t>(arrays.feature[node])];
      value = node % 2 == 0 ? arrays.threshold[node] : std::nextafter(arrays.threshold[node], INFINITY);
    }
    for (const double far : {-1e308, 1e308}) rows.insert(rows.end(), kFeatures, far);
    const auto all = static_cast<std::int64_t>(rows.size()) / kFeatures;
    const IsolationForest forest(arrays);
    std::vector<double> together(static_cast<std::size_t>(all));
    forest.score(MatrixView<const double>(rows.data(), all, kFeatures), together, {1, nullptr});
    for (std::int64_t r = 0; r < all; ++r) {
      double alone = 0;
      forest.score(MatrixView<const double>(rows.data() + r * kFeatures, 1, kFeatures), {&alone, 1}, {1, nullptr});
      CHECK(alone == together[static_cast<std::size_t>(r)]);
    }
  }
}

TEST_CASE("arrays that are no forest are corrupt") {
  const auto rows = some_rows(60, 2, 1);
  const auto arrays = IsolationForest::fit(MatrixView<const double>(rows.data(), 60, 2), 3, 30, 0, {1, nullptr});
  const auto refused = [&](auto&& damage) {
    ForestArrays damaged = arrays;
    damage(damaged);
    try {
      const IsolationForest forest(std::move(damaged));
    } catch (const Error& error) {
      return error.code() == ErrorCode::corrupt;
    }
    return false;
  };
  CHECK_FALSE(refused([](ForestArrays&) {}));
  CHECK(refused([](ForestArrays& a) { a.left[0] = 0; }));
  CHECK(refused([](ForestArrays& a) { a.left[0] = static_cast<std::int32_t>(a.left.size()) - 1; }));
  CHECK(refused([](ForestArrays& a) { a.feature[0] = 2; }));
  CHECK(refused([](ForestArrays& a) { a.threshold[0] = std::nan(""); }));
  CHECK(refused([](ForestArrays& a) { a.path.back() = INFINITY; }));
  CHECK(refused([](ForestArrays& a) { a.roots[1] = a.roots[2]; }));
  CHECK(refused([](ForestArrays& a) { a.roots.clear(); }));
  CHECK(refused([](ForestArrays& a) { a.path.pop_back(); }));
  CHECK(refused([](ForestArrays& a) { a.features = 0; }));
}
