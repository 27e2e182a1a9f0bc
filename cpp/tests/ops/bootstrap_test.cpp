#include "recocore/bootstrap.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "recocore/error.hpp"

namespace {

using namespace recocore;

TEST_CASE("resamples spread around the mean by the standard error") {
  std::vector<double> values(400);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(i);
  const auto means = resampled_means(values, 4000, 7, {});
  double sum = 0.0;
  double squares = 0.0;
  for (const double m : means) {
    sum += m;
    squares += (m - 199.5) * (m - 199.5);
  }
  const double standard_error = std::sqrt((400.0 * 400.0 - 1.0) / 12.0 / 400.0);
  CHECK(sum / 4000.0 == doctest::Approx(199.5).epsilon(0.002));
  CHECK(std::sqrt(squares / 4000.0) == doctest::Approx(standard_error).epsilon(0.05));
}

TEST_CASE("the seed decides, the threads do not") {
  const std::vector<double> values{1.0, 2.0, 4.0, 8.0};
  const auto means = resampled_means(values, 100, 1, {1, nullptr});
  CHECK(means == resampled_means(values, 100, 1, {3, nullptr}));
  CHECK(means != resampled_means(values, 100, 2, {1, nullptr}));
  CHECK_THROWS_AS(static_cast<void>(resampled_means({}, 1, 1, {})), Error);
}

}  // namespace
