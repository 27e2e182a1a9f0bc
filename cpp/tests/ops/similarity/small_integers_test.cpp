#include "ops/similarity/small_integers.hpp"

#include <doctest/doctest.h>

#include <vector>

namespace recocore {
namespace {

std::optional<SmallIntegers> find(const std::vector<float>& values) {
  return SmallIntegers::find(values, {2, nullptr});
}

TEST_CASE("ratings, halves and quarters are small integers") {
  const auto ratings = find({1, 5, 3, 0});
  REQUIRE(ratings);
  CHECK(ratings->scale == 1);
  CHECK(ratings->most == 7);
  CHECK_FALSE(ratings->alike);
  const auto halves = find({0.5F, 5.0F});
  REQUIRE(halves);
  CHECK(halves->scale == 2);
  CHECK(halves->of(5.0F) == 10);
  const auto quarters = find({0.25F, 3.75F});
  REQUIRE(quarters);
  CHECK(quarters->scale == 4);
  CHECK(quarters->most == 15);
  const auto same = find({2, 2, 2});
  REQUIRE(same);
  CHECK(same->alike);
}

TEST_CASE("what is negative, large, fine or nothing is not") {
  CHECK_FALSE(find({-1, 1}));
  CHECK_FALSE(find({16, 1}));
  CHECK_FALSE(find({8, 0.5F}));
  CHECK_FALSE(find({0.125F}));
  CHECK_FALSE(find({3e38F, 1}));
  CHECK_FALSE(find({-3e38F, 1}));
  CHECK_FALSE(find({1e-40F, 1}));
  CHECK_FALSE(find({0, 0}));
  CHECK_FALSE(find({}));
}

}  // namespace
}  // namespace recocore
