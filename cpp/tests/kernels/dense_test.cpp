#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "kernels/dense/kernel.hpp"

namespace {

// Around the widths of the vector registers and their unrolled steps.
const std::vector<std::int64_t> kSizes{0, 1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 130};

std::vector<float> random_vector(std::int64_t n, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<std::size_t>(n));
  for (float& v : values) v = normal(generator);
  return values;
}

}  // namespace

TEST_CASE("dot_f32 equals a float64 sum") {
  for (const std::int64_t n : kSizes) {
    const auto x = random_vector(n, 1);
    const auto y = random_vector(n, 2);
    double expected = 0;
    double magnitude = 1;
    for (std::size_t i = 0; i < x.size(); ++i) {
      expected += double(x[i]) * double(y[i]);
      magnitude += std::abs(double(x[i]) * double(y[i]));
    }
    CHECK(recocore::kernels::dense().dot_f32(x.data(), y.data(), n) ==
          doctest::Approx(expected).epsilon(1e-6 * magnitude));
  }
}

TEST_CASE("axpy_f32 equals a float64 sum and writes nothing past the end") {
  for (const std::int64_t n : kSizes) {
    const auto x = random_vector(n, 3);
    auto y = random_vector(n + 1, 4);
    const auto before = y;
    recocore::kernels::dense().axpy_f32(1.5F, x.data(), y.data(), n);
    for (std::size_t i = 0; i < x.size(); ++i)
      CHECK(y[i] == doctest::Approx(double(before[i]) + 1.5 * double(x[i])).epsilon(1e-6));
    CHECK(y.back() == before.back());
  }
}

TEST_CASE("syrk_lower_f32 equals a float64 sum and leaves the upper triangle alone") {
  for (const std::int64_t n : {1, 2, 8, 15, 16, 17, 33}) {
    for (const std::int64_t count : {0, 1, 3, 4, 5, 9}) {
      const auto x = random_vector(n * count, 5);
      const auto weights = random_vector(count, 6);
      auto a = random_vector(n * n, 7);
      const auto before = a;
      recocore::kernels::dense().syrk_lower_f32(x.data(), n, weights.data(), count, n, a.data(), n);
      for (std::int64_t i = 0; i < n; ++i) {
        for (std::int64_t j = 0; j < n; ++j) {
          const auto at = static_cast<std::size_t>(i * n + j);
          double expected = double(before[at]);
          double magnitude = 1;
          for (std::int64_t r = 0; r < count && j <= i; ++r) {
            const double term = double(weights[static_cast<std::size_t>(r)]) *
                                double(x[static_cast<std::size_t>(r * n + i)]) *
                                double(x[static_cast<std::size_t>(r * n + j)]);
            expected += term;
            magnitude += std::abs(term);
          }
          CHECK(std::abs(double(a[at]) - expected) <= 1e-6 * magnitude);
        }
      }
    }
  }
}
