#include "recocore/positive_definite.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <random>

using namespace recocore;

namespace {

/// M M^T + I for a random M, [n, n].
std::vector<double> some_matrix(std::int64_t n, unsigned seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  std::vector<double> m(static_cast<std::size_t>(n * n));
  for (double& v : m) v = normal(random);
  std::vector<double> a(m.size());
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < n; ++j) {
      double sum = i == j ? 1 : 0;
      for (std::int64_t k = 0; k < n; ++k)
        sum += m[static_cast<std::size_t>(i * n + k)] * m[static_cast<std::size_t>(j * n + k)];
      a[static_cast<std::size_t>(i * n + j)] = sum;
    }
  return a;
}

}  // namespace

TEST_CASE("a solution satisfies its system") {
  for (const std::int64_t n : {1, 2, 3, 7, 8, 9, 31, 64, 100}) {
    CAPTURE(n);
    const auto a = some_matrix(n, static_cast<unsigned>(n));
    std::vector<double> b(static_cast<std::size_t>(n));
    for (std::int64_t i = 0; i < n; ++i) b[static_cast<std::size_t>(i)] = std::sin(static_cast<double>(i + 1));
    auto lower = a;
    // Only the lower triangle is read.
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t j = i + 1; j < n; ++j) lower[static_cast<std::size_t>(i * n + j)] = 1e300;
    const auto x = solve_positive_definite({lower.data(), n, n}, b);
    REQUIRE(x.has_value());
    for (std::int64_t i = 0; i < n; ++i) {
      double sum = 0;
      for (std::int64_t j = 0; j < n; ++j)
        sum += a[static_cast<std::size_t>(i * n + j)] * (*x)[static_cast<std::size_t>(j)];
      CHECK(std::abs(sum - b[static_cast<std::size_t>(i)]) < 1e-10);
    }
  }
}

TEST_CASE("what is not positive definite has no solution") {
  const std::vector<double> singular{1, 1, 1, 1};
  const std::vector<double> indefinite{1, 2, 2, 1};
  const std::vector<double> nan{1, 0, std::nan(""), 1};
  const std::vector<double> zero{0, 0, 0, 0};
  const std::vector<double> b{1, 2};
  for (const auto* a : {&singular, &indefinite, &nan, &zero})
    CHECK_FALSE(solve_positive_definite({a->data(), 2, 2}, b).has_value());
}

TEST_CASE("an empty system has an empty solution") {
  const auto x = solve_positive_definite({nullptr, 0, 0}, {});
  REQUIRE(x.has_value());
  CHECK(x->empty());
}
