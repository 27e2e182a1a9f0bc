#include "ops/anomaly/scatter.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <numeric>
#include <vector>

#include "rows.hpp"

using namespace recocore;

TEST_CASE("location, determinant, distances and precision are those of the matrix") {
  // Two features: the inverse is written out.
  const auto rows = some_rows(50, 2, 8);
  const MatrixView<const double> view(rows.data(), 50, 2);
  std::vector<std::int64_t> all(50);
  std::iota(all.begin(), all.end(), 0);
  const Scatter scatter = scatter_of(view, all, 0.25, 2.0);
  double mean[2] = {0, 0};
  for (std::size_t r = 0; r < 50; ++r)
    for (std::size_t j = 0; j < 2; ++j) mean[j] += rows[2 * r + j] / 50;
  double a = 0.25;
  double b = 0;
  double c = 0.25;
  for (std::size_t r = 0; r < 50; ++r) {
    const double x = rows[2 * r] - mean[0];
    const double y = rows[2 * r + 1] - mean[1];
    a += x * x / 50;
    b += x * y / 50;
    c += y * y / 50;
  }
  a *= 2;
  b *= 2;
  c *= 2;
  CHECK(scatter.location[0] == doctest::Approx(mean[0]));
  CHECK(scatter.log_determinant == doctest::Approx(std::log(a * c - b * b)));
  const auto precision = precision_of(scatter);
  const double determinant = a * c - b * b;
  CHECK(precision[0] == doctest::Approx(c / determinant));
  CHECK(precision[1] == doctest::Approx(-b / determinant));
  CHECK(precision[3] == doctest::Approx(a / determinant));
  std::vector<double> distance(50);
  distances(scatter, view, distance);
  for (std::size_t r = 0; r < 50; ++r) {
    const double x = rows[2 * r] - mean[0];
    const double y = rows[2 * r + 1] - mean[1];
    CHECK(distance[r] == doctest::Approx((c * x * x - 2 * b * x * y + a * y * y) / determinant));
  }
}

TEST_CASE("a singular scatter has the ridge for its smallest variance") {
  const std::vector<double> rows{0, 0, 1, 1, 2, 2};
  const std::vector<std::int64_t> all{0, 1, 2};
  const Scatter scatter = scatter_of({rows.data(), 3, 2}, all, 1e-9, 1);
  CHECK(std::isfinite(scatter.log_determinant));
  const std::vector<double> off{1, 1.1};
  double distance = 0;
  distances(scatter, {off.data(), 1, 2}, {&distance, 1});
  CHECK(distance == doctest::Approx(0.005 / 1e-9).epsilon(0.01));
}
