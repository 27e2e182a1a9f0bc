#include "ops/anomaly/value_order.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>

#include "base/random.hpp"

using namespace recocore;

TEST_CASE("values of all signs and sizes are sorted, equal ones as they came") {
  for (const std::int32_t n : {0, 1, 2, 100, 5000}) {
    SplitMix64 random(static_cast<std::uint64_t>(n));
    std::vector<Placed> values;
    for (std::int32_t r = 0; r < n; ++r) {
      const double kinds[] = {random.uniform() - 0.5,
                              static_cast<double>(random.below(7)) - 3,
                              1e300 * random.uniform(),
                              -1e-310 * random.uniform(),
                              -0.0,
                              std::numeric_limits<double>::lowest()};
      values.push_back({kinds[random.below(6)], r});
    }
    std::vector<Placed> expected(values);
    std::stable_sort(expected.begin(), expected.end(),
                     [](const Placed& a, const Placed& b) { return a.value < b.value; });
    sort_placed(values);
    for (std::size_t i = 0; i < values.size(); ++i) {
      CHECK(values[i].value == expected[i].value);
      CHECK(values[i].row == expected[i].row);
    }
  }
}

TEST_CASE("values with a common exponent take fewer passes to the same order") {
  std::vector<Placed> values;
  for (std::int32_t r = 0; r < 3000; ++r) values.push_back({1024.0 + (r * 7) % 1000, r});
  sort_placed(values);
  CHECK(std::is_sorted(values.begin(), values.end(), [](const Placed& a, const Placed& b) {
    return a.value < b.value || (a.value == b.value && a.row < b.row);
  }));
}
