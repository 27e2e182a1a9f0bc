#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/random.hpp"
#include "kernels/forest/kernel.hpp"

using namespace recocore;
using kernels::forest;
using kernels::kCodedRows;

TEST_CASE("codes count the thresholds below") {
  SplitMix64 random(1);
  for (const std::int64_t n : {1, 2, 3, 7, 64, 751}) {
    std::vector<double> thresholds(static_cast<std::size_t>(n));
    for (double& t : thresholds) t = random.uniform();
    std::sort(thresholds.begin(), thresholds.end());
    std::vector<double> values(kCodedRows);
    for (double& v : values)
      v = random.below(3) == 0 ? thresholds[static_cast<std::size_t>(random.below(n))] : 1.2 * random.uniform() - 0.1;
    for (const std::int64_t rows : {std::int64_t{1}, std::int64_t{64}, std::int64_t{65}, kCodedRows}) {
      std::vector<std::int32_t> codes(kCodedRows, -1);
      forest().encode(thresholds.data(), n, values.data(), rows, codes.data());
      for (std::size_t r = 0; r < static_cast<std::size_t>(rows); ++r)
        CHECK(codes[r] == std::lower_bound(thresholds.begin(), thresholds.end(), values[r]) - thresholds.begin());
    }
  }
}

TEST_CASE("rows come to the leaves of a walk") {
  SplitMix64 random(2);
  constexpr std::int64_t kFeatures = 5;
  for (int height = 1; height <= 10; ++height) {
    const std::size_t inner = (std::size_t{1} << height) - 1;
    std::vector<std::uint32_t> nodes(inner + kernels::kCodedSlack);
    for (auto& node : nodes)
      node = static_cast<std::uint32_t>(random.below(kFeatures)) << 16U |
             static_cast<std::uint32_t>(random.below(8) == 0 ? 0xFFFF : random.below(100));
    std::vector<double> leaves(inner + 1);
    for (double& leaf : leaves) leaf = random.uniform();
    std::vector<std::int32_t> codes(kFeatures * kCodedRows);
    for (auto& code : codes) code = static_cast<std::int32_t>(random.below(8) == 0 ? 0xFFFF : random.below(101));
    std::vector<double> sums(kCodedRows, 0.5);
    forest().add_leaves(nodes.data(), leaves.data(), height, codes.data(), kCodedRows, sums.data());
    for (std::size_t r = 0; r < kCodedRows; ++r) {
      std::size_t at = 0;
      for (int level = 0; level < height; ++level)
        at = 2 * at + 1 +
             (static_cast<std::uint32_t>(codes[(nodes[at] >> 16U) * kCodedRows + r]) > (nodes[at] & 0xFFFFU));
      CHECK(sums[r] == 0.5 + leaves[at - inner]);
    }
  }
}
