#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "kernels/float64/kernel.hpp"

using recocore::kernels::float64;
using recocore::kernels::float64_scalar;
using recocore::kernels::kRotated;
using recocore::kernels::Rotation;

namespace {

std::vector<double> random_vector(std::int64_t n, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<double> normal;
  std::vector<double> values(static_cast<std::size_t>(n));
  for (double& v : values) v = normal(generator);
  return values;
}

void check_close(const std::vector<double>& found, const std::vector<double>& expected) {
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) CHECK(found[i] == doctest::Approx(expected[i]).epsilon(1e-12));
}

}  // namespace

TEST_CASE("float64 sums equal those of the scalar kernels") {
  for (const std::int64_t n : {0, 1, 3, 4, 7, 8, 9, 31, 32, 33, 100}) {
    const auto x = random_vector(n, 1);
    const auto y = random_vector(n, 2);
    CHECK(float64().dot(x.data(), y.data(), n) ==
          doctest::Approx(float64_scalar.dot(x.data(), y.data(), n)).epsilon(1e-12));
    auto found = random_vector(n + 1, 3);
    auto expected = found;
    float64().add_two(0.5, x.data(), -2, y.data(), found.data(), n);
    float64_scalar.add_two(0.5, x.data(), -2, y.data(), expected.data(), n);
    check_close(found, expected);
  }
}

TEST_CASE("rotated rows equal those of the scalar kernels") {
  const std::int64_t distance = kRotated + 3;
  std::vector<Rotation> rotations;
  for (int i = 0; i < 6; ++i) rotations.push_back({std::cos(i * 0.7), std::sin(i * 0.7)});
  for (const std::int64_t count : {0, 1, 6}) {
    auto found = random_vector(9 * distance, 4);
    auto expected = found;
    float64().rotate_rows(found.data(), distance, 7, rotations.data(), count);
    float64_scalar.rotate_rows(expected.data(), distance, 7, rotations.data(), count);
    check_close(found, expected);
  }
}
