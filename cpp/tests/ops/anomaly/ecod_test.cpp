#include "recocore/anomaly/ecod.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "recocore/error.hpp"
#include "rows.hpp"

using namespace recocore;

namespace {

constexpr std::int64_t kRows = 700;
constexpr std::int64_t kFeatures = 3;

MatrixView<const double> view(const std::vector<double>& rows) {
  return {rows.data(), static_cast<std::int64_t>(rows.size()) / kFeatures, kFeatures};
}

}  // namespace

TEST_CASE("the paper's score is the largest of three sums of counted tails") {
  const auto rows = some_rows(kRows, kFeatures, 5);
  const Ecod ecod(EcodVariant::paper, Ecod::fit(view(rows), {1, nullptr}));
  std::vector<double> scores(kRows);
  ecod.score(view(rows), scores, {2, nullptr});
  for (std::int64_t r = 0; r < kRows; r += 97) {
    double left = 0;
    double right = 0;
    double by_skewness = 0;
    for (std::int64_t j = 0; j < kFeatures; ++j) {
      const auto value = [&](std::int64_t row) { return rows[static_cast<std::size_t>(row * kFeatures + j)]; };
      double mean = 0;
      double cubes = 0;
      double not_above = 0;
      for (std::int64_t s = 0; s < kRows; ++s) {
        mean += value(s) / kRows;
        not_above += value(s) <= value(r) ? 1 : 0;
      }
      for (std::int64_t s = 0; s < kRows; ++s) cubes += std::pow(value(s) - mean, 3);
      const double l = -std::log(not_above / kRows);
      const double g = -std::log((kRows - not_above + 1) / kRows);
      left += l;
      right += g;
      by_skewness += cubes < 0 ? l : g;
    }
    CHECK(scores[static_cast<std::size_t>(r)] == doctest::Approx(std::max({left, right, by_skewness})).epsilon(1e-12));
  }
}

TEST_CASE("reasons sum to the score in both variants") {
  const auto rows = some_rows(kRows, kFeatures, 6);
  for (const EcodVariant variant : {EcodVariant::paper, EcodVariant::pyod}) {
    const Ecod ecod(variant, Ecod::fit(view(rows), {2, nullptr}));
    std::vector<double> scores(kRows);
    std::vector<double> reasons(rows.size());
    ecod.score(view(rows), scores, {2, nullptr});
    ecod.explain(view(rows), {reasons.data(), kRows, kFeatures}, {2, nullptr});
    for (std::size_t r = 0; r < kRows; ++r)
      CHECK(reasons[3 * r] + reasons[3 * r + 1] + reasons[3 * r + 2] == doctest::Approx(scores[r]).epsilon(1e-12));
  }
}

TEST_CASE("arrays that are no sorted columns are corrupt") {
  const auto refused = [](EcodArrays arrays) {
    try {
      const Ecod ecod(EcodVariant::paper, std::move(arrays));
    } catch (const Error& error) {
      return error.code() == ErrorCode::corrupt;
    }
    return false;
  };
  CHECK_FALSE(refused({{0, 2}, {1, 2}, {1.5, 0.5, 0}}));
  CHECK(refused({{0, 2}, {2, 1}, {1.5, 0.5, 0}}));
  CHECK(refused({{0, 3}, {1, 2}, {1.5, 0.5, 0}}));
  CHECK(refused({{1, 2}, {1, 2}, {1.5, 0.5, 0}}));
  CHECK(refused({{0, 2}, {1, 2}, {1.5, 0.5}}));
  CHECK(refused({{0, 2}, {1, INFINITY}, {1.5, 0.5, 0}}));
  CHECK(refused({{0}, {}, {}}));
}
