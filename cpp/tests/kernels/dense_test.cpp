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

TEST_CASE("dot_rows_f32 gives the bits of dot_f32, and squared_distance_f32 a float64 sum") {
  const auto& kernel = recocore::kernels::dense();
  for (const std::int64_t n : kSizes) {
    for (const std::int64_t count : {0, 1, 3, 4, 5, 9}) {
      const auto x = random_vector(n, 1);
      const auto rows = random_vector(10 * (n + 2), 2);
      const std::vector<std::int32_t> numbers{9, 0, 3, 3, 1, 8, 2, 5, 4};
      for (const bool listed : {false, true}) {
        std::vector<float> products(static_cast<std::size_t>(count) + 1, 7.0F);
        kernel.dot_rows_f32(x.data(), rows.data(), n + 2, listed ? numbers.data() : nullptr, count, n, products.data());
        for (std::int64_t r = 0; r < count; ++r) {
          const std::int64_t row = listed ? numbers[static_cast<std::size_t>(r)] : r;
          CHECK(products[static_cast<std::size_t>(r)] == kernel.dot_f32(x.data(), rows.data() + row * (n + 2), n));
        }
        CHECK(products.back() == 7.0F);
      }
    }
    const auto x = random_vector(n, 3);
    const auto y = random_vector(n, 4);
    double expected = 0;
    for (std::size_t i = 0; i < x.size(); ++i)
      expected += (double(x[i]) - double(y[i])) * (double(x[i]) - double(y[i]));
    CHECK(kernel.squared_distance_f32(x.data(), y.data(), n) == doctest::Approx(expected).epsilon(1e-5));
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
