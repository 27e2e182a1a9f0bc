#include "ops/symmetric_eigen.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <random>
#include <stdexcept>
#include <vector>

using recocore::symmetric_eigen;

namespace {

/// x^T x for a normal x `[rank, n]`.
std::vector<float> gram_of_rank(std::int64_t n, std::int64_t rank, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<double> normal;
  std::vector<double> x(static_cast<std::size_t>(rank * n));
  for (double& v : x) v = normal(generator);
  std::vector<float> a(static_cast<std::size_t>(n * n));
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < n; ++j) {
      double sum = 0;
      for (std::int64_t r = 0; r < rank; ++r)
        sum +=
            x[static_cast<std::size_t>(r * n + std::min(i, j))] * x[static_cast<std::size_t>(r * n + std::max(i, j))];
      a[static_cast<std::size_t>(i * n + j)] = static_cast<float>(sum);
    }
  return a;
}

void check(const std::vector<float>& a, std::int64_t n) {
  const auto eigen = symmetric_eigen({a.data(), n, n}, {2});
  double scale = 1e-30;
  for (const float v : a) scale = std::max(scale, std::abs(double(v)));
  const auto vector = [&](std::int64_t k, std::int64_t i) {
    return eigen.vectors[static_cast<std::size_t>(k * eigen.stride + i)];
  };
  for (std::int64_t k = 0; k < n; ++k) {
    for (std::int64_t i = 0; i < n; ++i) {
      double product = 0;
      double overlap = 0;
      for (std::int64_t j = 0; j < n; ++j) {
        product += double(a[static_cast<std::size_t>(i * n + j)]) * vector(k, j);
        overlap += vector(k, j) * vector(i, j);
      }
      CHECK(std::abs(product - eigen.values[static_cast<std::size_t>(k)] * vector(k, i)) <= 1e-12 * double(n) * scale);
      CHECK(std::abs(overlap - (i == k ? 1.0 : 0.0)) <= 1e-12);
    }
  }
}

}  // namespace

TEST_CASE("eigenvectors are orthonormal and turn the matrix into its eigenvalues") {
  for (const std::int64_t n : {1, 2, 3, 16, 31, 32, 33, 70}) check(gram_of_rank(n, 2 * n, static_cast<unsigned>(n)), n);
}

TEST_CASE("matrices of low rank, equal eigenvalues and zeros") {
  check(gram_of_rank(60, 3, 1), 60);
  check(std::vector<float>(400, 0.0F), 20);
  std::vector<float> identity(400, 0.0F);
  for (std::size_t i = 0; i < 20; ++i) identity[i * 21] = 2;
  check(identity, 20);
  check(std::vector<float>(400, 1.0F), 20);
}

TEST_CASE("the same bytes at every thread count") {
  const auto a = gram_of_rank(64, 100, 5);
  const auto one = symmetric_eigen({a.data(), 64, 64}, {1});
  const auto seven = symmetric_eigen({a.data(), 64, 64}, {7});
  CHECK(one.values == seven.values);
  CHECK(one.vectors == seven.vectors);
}

TEST_CASE("a monitor is asked while the matrix becomes tridiagonal, which is thousands of short jobs") {
  struct Stop final : recocore::Monitor {
    void poll(double fraction_done) override {
      asked_at = fraction_done;
      throw std::runtime_error("stop");
    }
    double asked_at = -1;
  };
  constexpr std::int64_t kOrder = 1024;
  const auto a = gram_of_rank(kOrder, 2, 6);
  Stop stop;
  CHECK_THROWS_WITH((void)symmetric_eigen({a.data(), kOrder, kOrder}, {1, &stop}), "stop");
  CHECK(stop.asked_at == 0);  // the one job that follows, of many chunks, asks with some of them done
}
