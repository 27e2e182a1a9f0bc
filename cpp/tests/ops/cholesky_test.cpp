#include "ops/cholesky.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <random>
#include <vector>

using recocore::Cholesky;
using recocore::Solved;

TEST_CASE("the solution of a positive definite system has a small residual, at sizes around the panel") {
  Cholesky cholesky;
  for (const std::int64_t n : {1, 2, 7, 8, 9, 15, 16, 17, 40, 64, 65, 100}) {
    std::mt19937 generator(static_cast<unsigned>(n));
    std::normal_distribution<float> normal;
    std::vector<float> root(static_cast<std::size_t>(n * n));
    for (float& v : root) v = normal(generator);
    std::vector<float> a(root.size(), 0.0F);
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t j = 0; j < n; ++j) {
        double sum = i == j ? 1.0 : 0.0;
        for (std::int64_t t = 0; t < n; ++t)
          sum += double(root[static_cast<std::size_t>(i * n + t)]) * double(root[static_cast<std::size_t>(j * n + t)]);
        a[static_cast<std::size_t>(i * n + j)] = static_cast<float>(sum);
      }
    }
    std::vector<float> b(static_cast<std::size_t>(n));
    for (float& v : b) v = normal(generator);
    auto factored = a;
    auto x = b;
    REQUIRE(cholesky.solve(factored.data(), x.data(), n) == Solved::yes);
    for (std::int64_t i = 0; i < n; ++i) {
      double product = 0;
      double magnitude = 0;
      for (std::int64_t j = 0; j < n; ++j) {
        const double term = double(a[static_cast<std::size_t>(i * n + j)]) * double(x[static_cast<std::size_t>(j)]);
        product += term;
        magnitude += std::abs(term);
      }
      CHECK(std::abs(product - double(b[static_cast<std::size_t>(i)])) <= 1e-5 * (magnitude + 1));
    }
  }
}

TEST_CASE("singular, indefinite and NaN systems are refused") {
  Cholesky cholesky;
  std::vector<float> b{1, 1};
  std::vector<float> singular{1, 0, 1, 1};
  CHECK(cholesky.solve(singular.data(), b.data(), 2) == Solved::singular);
  std::vector<float> indefinite{1, 0, 2, 1};
  CHECK(cholesky.solve(indefinite.data(), b.data(), 2) == Solved::singular);
  std::vector<float> not_a_number{NAN, 0, 0, 1};
  CHECK(cholesky.solve(not_a_number.data(), b.data(), 2) == Solved::overflow);
}
