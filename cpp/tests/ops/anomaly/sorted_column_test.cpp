#include "ops/anomaly/sorted_column.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "base/random.hpp"

using namespace recocore;

TEST_CASE("ranks are those of the standard's searches, ties and all") {
  SplitMix64 random(1);
  for (const int n : {0, 1, 2, 3, 7, 64, 1000}) {
    std::vector<double> sorted(static_cast<std::size_t>(n));
    for (double& v : sorted) v = static_cast<double>(random.below(n / 2 + 1));
    std::sort(sorted.begin(), sorted.end());
    double values[kSearches];
    for (double& v : values) v = static_cast<double>(random.below(n + 2)) / 2 - 1;
    values[0] = std::numeric_limits<double>::max();
    values[1] = -values[0];
    for (const int count : {1, 5, kSearches}) {
      Rank found[kSearches];
      ranks(sorted, values, count, found);
      for (int q = 0; q < count; ++q) {
        CHECK(found[q].below == std::lower_bound(sorted.begin(), sorted.end(), values[q]) - sorted.begin());
        CHECK(found[q].not_above == std::upper_bound(sorted.begin(), sorted.end(), values[q]) - sorted.begin());
      }
    }
  }
}
