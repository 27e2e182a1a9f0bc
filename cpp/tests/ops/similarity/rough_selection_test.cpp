#include "ops/similarity/rough_selection.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <random>
#include <vector>

namespace recocore {
namespace {

TEST_CASE("the score that so many reach is reached by them and by few more") {
  std::mt19937 random(3);
  std::uniform_real_distribution<float> exponent(-60.0F, 3.0F);
  for (const std::size_t count : {1U, 2U, 50U, 1000U}) {
    std::vector<float> scores;
    for (std::size_t n = 0; n < count; ++n) scores.push_back(std::exp2(exponent(random)));
    std::vector<float> sorted = scores;
    std::sort(sorted.begin(), sorted.end(), std::greater<>());
    for (const std::size_t wanted : {std::size_t{1}, (count + 1) / 2, count}) {
      CAPTURE(count);
      CAPTURE(wanted);
      const float reached = score_reached_by(static_cast<std::int64_t>(wanted), scores);
      const auto reaching = static_cast<std::size_t>(
          std::count_if(scores.begin(), scores.end(), [&](float score) { return score >= reached; }));
      CHECK(reached <= sorted[wanted - 1]);
      CHECK(reaching >= wanted);
      CHECK(reaching <= wanted + wanted / 16);
    }
  }
}

TEST_CASE("too few positive scores reach nothing") {
  CHECK(score_reached_by(1, {}) == 0.0F);
  const std::vector<float> scores{0.0F, -1.0F, 2.0F};
  CHECK(score_reached_by(2, scores) == 0.0F);
  CHECK(score_reached_by(1, scores) > 0.0F);
}

TEST_CASE("equal scores are all reached") {
  const std::vector<float> scores(100, 0.25F);
  CHECK(score_reached_by(7, scores) == 0.25F);
}

}  // namespace
}  // namespace recocore
