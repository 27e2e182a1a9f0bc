// Grows one isolation tree.
#pragma once

#include <cstdint>
#include <vector>

#include "base/random.hpp"
#include "recocore/anomaly/isolation_forest.hpp"

namespace recocore {

/// Rows that a tree is grown on, [count, features], row-major; NaN is missing.
struct TreeSample {
  std::vector<double> values;
  std::int64_t count = 0;
  std::int64_t features = 0;
};

/// Draws `count` different rows in [0, rows), ascending (Floyd's algorithm; Bentley, CACM 1987).
[[nodiscard]] std::vector<std::int64_t> draw_rows(std::int64_t rows, std::int64_t count, SplitMix64& random);

/// A tree whose indices start at 0, in the form of ForestArrays.
[[nodiscard]] ForestArrays grow_tree(const TreeSample& sample, int height, SplitMix64& random);

}  // namespace recocore
