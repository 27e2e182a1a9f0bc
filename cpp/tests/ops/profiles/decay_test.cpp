#include "ops/profiles/decay.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>

namespace {

TEST_CASE("what is left is that of the library, to the rounding of a double") {
  const recocore::cpu::Decay decay;
  std::mt19937_64 random(3);
  std::uniform_real_distribution<double> exponents(-40.0, 10.0);
  double worst = 0.0;
  for (int i = 0; i < 200'000; ++i) {
    const double x = std::exp2(exponents(random));
    const long double exact = std::exp2(-static_cast<long double>(x));
    if (x < 1'000.0) worst = std::max(worst, static_cast<double>(std::abs(decay(x) / exact - 1.0L)));
  }
  CHECK(worst < 4e-16);
  CHECK(decay(0.0) == 1.0);
  for (int whole = 0; whole < 1'000; ++whole) CHECK(decay(whole) == std::exp2(-whole));
}

TEST_CASE("what is older than a double can say is as the library has it") {
  const recocore::cpu::Decay decay;
  for (const double x : {999.999, 1'000.0, 1'050.5, 1'074.0, 1'076.0, 1e9, std::numeric_limits<double>::infinity()})
    CHECK(decay(x) == doctest::Approx(std::exp2(-x)).epsilon(1e-15));
  CHECK(decay(1e9) == 0.0);
}

}  // namespace
