#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "base/aligned.hpp"
#include "kernels/least_squares/kernel.hpp"

using recocore::AlignedFloats;
using recocore::kernels::least_squares;
using recocore::kernels::least_squares_scalar;
using recocore::kernels::Pivots;

namespace {

AlignedFloats random_floats(std::int64_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  AlignedFloats values(count);
  for (std::int64_t i = 0; i < count; ++i) values.data()[i] = normal(generator);
  return values;
}

AlignedFloats copy_of(const AlignedFloats& from, std::int64_t count) {
  AlignedFloats to(count);
  std::copy_n(from.data(), count, to.data());
  return to;
}

void check_close(const float* found, const float* expected, std::int64_t count, double tolerance) {
  for (std::int64_t i = 0; i < count; ++i)
    REQUIRE(std::abs(double(found[i]) - double(expected[i])) <= tolerance * (1 + std::abs(double(expected[i]))));
}

}  // namespace

TEST_CASE("products equal those of the scalar kernels, at every width of a tile") {
  for (const std::int64_t m : {16, 32}) {
    for (const std::int64_t n : {16, 32, 48, 64, 80, 112}) {
      for (const std::int64_t k : {0, 1, 5, 40}) {
        const std::int64_t distance = n + 16;
        const auto a = random_floats(k * 48 + 1, 1);
        const auto b = random_floats(k * distance + 1, 2);
        const auto start = random_floats(m * distance, 3);
        for (const bool add : {true, false}) {
          auto found = copy_of(start, m * distance);
          auto expected = copy_of(start, m * distance);
          const auto product = add ? least_squares().add_product : least_squares().subtract_product;
          const auto reference = add ? least_squares_scalar.add_product : least_squares_scalar.subtract_product;
          product(a.data(), 48, b.data(), distance, k, m, n, found.data(), distance);
          reference(a.data(), 48, b.data(), distance, k, m, n, expected.data(), distance);
          check_close(found.data(), expected.data(), m * distance, 2e-5);
        }
      }
    }
  }
}

TEST_CASE("the upper triangle of a Gram matrix equals that of the scalar kernels") {
  for (const std::int64_t n : {16, 32, 48, 64, 80, 96, 128, 144}) {
    for (const std::int64_t k : {0, 1, 3, 31, 32, 33, 70}) {
      const std::int64_t distance = n + 16;
      const auto x = random_floats(k * distance + 1, 4);
      auto found = random_floats(n * distance, 5);
      auto expected = copy_of(found, n * distance);
      least_squares().add_gram(x.data(), distance, k, n, found.data(), distance);
      least_squares_scalar.add_gram(x.data(), distance, k, n, expected.data(), distance);
      for (std::int64_t i = 0; i < n; ++i)
        check_close(found.data() + i * distance + i, expected.data() + i * distance + i, n - i, 3e-5);
      for (std::int64_t i = 0; i < n; ++i)
        for (std::int64_t j = n; j < distance; ++j)
          REQUIRE(found.data()[i * distance + j] == expected.data()[i * distance + j]);
    }
  }
}

TEST_CASE("rows of a Cholesky factor and its substitutions equal those of the scalar kernels") {
  for (const std::int64_t n : {16, 32, 48, 80}) {
    const auto x = random_floats(2 * n * n, 6);
    AlignedFloats a(n * n);
    least_squares_scalar.add_gram(x.data(), n, 2 * n, n, a.data(), n);
    auto found = copy_of(a, n * n);
    auto expected = copy_of(a, n * n);
    CHECK(least_squares().factor_rows(found.data(), n, n, 0.0F) == Pivots::good);
    CHECK(least_squares_scalar.factor_rows(expected.data(), n, n, 0.0F) == Pivots::good);
    for (std::int64_t i = 0; i < 16; ++i)
      check_close(found.data() + i * n + i, expected.data() + i * n + i, n - i, 1e-4);

    auto triangle = random_floats(n * n, 7);
    for (std::int64_t i = 0; i < n; ++i) triangle.data()[i * n + i] = 8 + std::abs(triangle.data()[i * n + i]);
    const auto right = random_floats(n, 8);
    auto solved = copy_of(right, n);
    auto reference = copy_of(right, n);
    least_squares().solve_upper(triangle.data(), n, n, solved.data());
    least_squares_scalar.solve_upper(triangle.data(), n, n, reference.data());
    check_close(solved.data(), reference.data(), n, 1e-5);
  }
}

TEST_CASE("the first bad pivot is named") {
  for (const std::int64_t bad : {0, 1, 7, 15}) {
    for (const float value : {0.0F, -1.0F, INFINITY, NAN}) {
      AlignedFloats a(16 * 16);
      for (std::int64_t i = 0; i < 16; ++i) a.data()[i * 17] = 1;
      a.data()[bad * 17] = value;
      const Pivots expected = value <= 0 ? Pivots::too_small : Pivots::not_finite;
      CHECK(least_squares().factor_rows(a.data(), 16, 16, 1e-6F) == expected);
    }
  }
}

TEST_CASE("gathering and sums of rows equal those of the scalar kernels") {
  const std::int64_t rows = 90;
  for (const std::int64_t n : {16, 32, 128, 208}) {
    const auto source = random_floats(rows * n, 9);
    const auto scales = random_floats(128, 10);
    const auto row_scales = random_floats(n, 11);
    std::vector<std::int32_t> columns(70);
    for (std::size_t e = 0; e < columns.size(); ++e) columns[e] = static_cast<std::int32_t>(e * 37 % 90);
    for (const std::int64_t count : {1, 7, 8, 9, 16, 17, 33, 70}) {
      for (const bool plain : {true, false}) {
        const std::int32_t* which = plain ? nullptr : columns.data();
        const float* by = plain ? nullptr : scales.data();
        AlignedFloats found(count * n);
        AlignedFloats expected(count * n);
        least_squares().gather_rows(source.data(), n, which, 20, by, count, n, found.data(), n);
        least_squares_scalar.gather_rows(source.data(), n, which, 20, by, count, n, expected.data(), n);
        check_close(found.data(), expected.data(), count * n, 0);

        AlignedFloats columns_found(n * 80);
        AlignedFloats columns_expected(n * 80);
        const float* also_by = plain ? nullptr : row_scales.data();
        least_squares().gather_columns(source.data(), n, which, 20, by, also_by, count, n, columns_found.data(), 80);
        least_squares_scalar.gather_columns(source.data(), n, which, 20, by, also_by, count, n, columns_expected.data(),
                                            80);
        check_close(columns_found.data(), columns_expected.data(), n * 80, 1e-6);

        auto sum = copy_of(row_scales, n);
        auto sum_expected = copy_of(row_scales, n);
        least_squares().add_rows(source.data(), n, which, scales.data(), count, n, sum.data());
        least_squares_scalar.add_rows(source.data(), n, which, scales.data(), count, n, sum_expected.data());
        check_close(sum.data(), sum_expected.data(), n, 2e-5);

        std::vector<float> products(static_cast<std::size_t>(count));
        std::vector<float> products_expected(static_cast<std::size_t>(count));
        least_squares().dot_rows(source.data(), n, which, count, row_scales.data(), n, products.data());
        least_squares_scalar.dot_rows(source.data(), n, which, count, row_scales.data(), n, products_expected.data());
        check_close(products.data(), products_expected.data(), count, 5e-5);
      }
    }
  }
}

TEST_CASE("the vector steps of conjugate gradient equal those of the scalar kernels") {
  for (const std::int64_t n : {16, 32, 80, 144}) {
    const auto d = random_floats(n, 21);
    const auto direction = random_floats(n, 22);
    const auto product = random_floats(n, 23);
    auto found = copy_of(direction, n);
    auto expected = copy_of(direction, n);
    float energies[2];
    energies[0] = least_squares().multiply(d.data(), direction.data(), n, found.data());
    energies[1] = least_squares_scalar.multiply(d.data(), direction.data(), n, expected.data());
    check_close(found.data(), expected.data(), n, 1e-6);
    check_close(energies, energies + 1, 1, 2e-5);

    const auto x = random_floats(n, 24);
    const auto residual = random_floats(n, 25);
    auto found_x = copy_of(x, n);
    auto expected_x = copy_of(x, n);
    auto found_residual = copy_of(residual, n);
    auto expected_residual = copy_of(residual, n);
    energies[0] = least_squares().advance(0.3F, direction.data(), product.data(), d.data(), n, found_x.data(),
                                          found_residual.data());
    energies[1] = least_squares_scalar.advance(0.3F, direction.data(), product.data(), d.data(), n, expected_x.data(),
                                               expected_residual.data());
    check_close(found_x.data(), expected_x.data(), n, 1e-6);
    check_close(found_residual.data(), expected_residual.data(), n, 1e-6);
    check_close(energies, energies + 1, 1, 5e-5);

    least_squares().turn(-0.7F, residual.data(), d.data(), n, found.data());
    least_squares_scalar.turn(-0.7F, residual.data(), d.data(), n, expected.data());
    check_close(found.data(), expected.data(), n, 1e-6);
  }
}
