#include "recocore/finite_values.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

using namespace recocore;

TEST_CASE("one value that is not finite is found wherever it stands") {
  const float inf = std::numeric_limits<float>::infinity();
  for (const std::size_t size : {1UL, 7UL, 65'536UL, 65'537UL, 300'001UL}) {
    for (const int threads : {1, 3}) {
      std::vector<float> values(size, std::numeric_limits<float>::max());
      CHECK(all_finite(values, Execution{threads}));
      for (const float bad : {inf, -inf, std::nanf("")})
        for (const std::size_t place : {std::size_t{0}, size / 2, size - 1}) {
          const float before = values[place];
          values[place] = bad;
          CHECK_FALSE(all_finite(values, Execution{threads}));
          values[place] = before;
        }
    }
  }
  CHECK(all_finite({}, Execution{1}));
}
