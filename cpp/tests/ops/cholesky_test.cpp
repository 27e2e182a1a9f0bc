#include "ops/cholesky.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "base/aligned.hpp"

using recocore::AlignedFloats;
using recocore::padded;
using recocore::row_distance;
using recocore::solve_positive_definite;
using recocore::Solved;

TEST_CASE("the solution of a positive definite system has a small residual, at sizes around the blocks") {
  for (const std::int64_t n : {1, 2, 7, 15, 16, 17, 33, 63, 64, 65, 100, 129, 200}) {
    std::mt19937 generator(static_cast<unsigned>(n));
    std::normal_distribution<float> normal;
    const auto square = static_cast<std::size_t>(n * n);
    std::vector<double> root(square);
    for (double& v : root) v = double(normal(generator));
    std::vector<double> exact(square, 0.0);
    const std::int64_t distance = row_distance(n);
    AlignedFloats a(padded(n) * distance);
    AlignedFloats x(padded(n));
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t j = 0; j < n; ++j) {
        double sum = i == j ? 1.0 : 0.0;
        for (std::int64_t t = 0; t < n; ++t)
          sum += root[static_cast<std::size_t>(i * n + t)] * root[static_cast<std::size_t>(j * n + t)];
        exact[static_cast<std::size_t>(i * n + j)] = sum;
        if (j >= i) a.data()[i * distance + j] = static_cast<float>(sum);
      }
    }
    std::vector<double> b(static_cast<std::size_t>(n));
    for (std::int64_t i = 0; i < n; ++i) {
      x.data()[i] = normal(generator);
      b[static_cast<std::size_t>(i)] = double(x.data()[i]);
    }
    REQUIRE(solve_positive_definite(a.data(), distance, x.data(), n) == Solved::yes);
    for (std::int64_t i = 0; i < n; ++i) {
      double product = 0;
      double magnitude = 1;
      for (std::int64_t j = 0; j < n; ++j) {
        const double term = exact[static_cast<std::size_t>(i * n + j)] * double(x.data()[j]);
        product += term;
        magnitude += std::abs(term);
      }
      CHECK(std::abs(product - b[static_cast<std::size_t>(i)]) <= 1e-5 * magnitude);
    }
  }
}

TEST_CASE("singular, indefinite and NaN systems are refused") {
  const auto solve = [](float first, float coupling, float second) {
    AlignedFloats a(16 * 16);
    AlignedFloats b(16);
    a.data()[0] = first;
    a.data()[1] = coupling;
    a.data()[17] = second;
    b.data()[0] = b.data()[1] = 1;
    return solve_positive_definite(a.data(), 16, b.data(), 2);
  };
  CHECK(solve(2, 1, 2) == Solved::yes);
  CHECK(solve(0, 0, 0) == Solved::singular);
  CHECK(solve(1, 1, 1) == Solved::singular);
  CHECK(solve(1, 2, 1) == Solved::singular);
  CHECK(solve(NAN, 0, 1) == Solved::overflow);
  CHECK(solve(1, 0, INFINITY) == Solved::overflow);
}
