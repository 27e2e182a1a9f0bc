#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

#include "recocore/csr.hpp"

namespace recocore {

/// The rows of a matrix, those with the most entries first (then by number). Blocks of neighbouring ranks are then
/// either crowded enough for bit sets or thin enough for lists, and the sums of the popular stay in the cache.
struct RowOrder {
  explicit RowOrder(const CsrPattern& matrix)
      : row(static_cast<std::size_t>(matrix.rows)), rank(static_cast<std::size_t>(matrix.rows)) {
    std::iota(row.begin(), row.end(), 0);
    std::sort(row.begin(), row.end(), [&](std::int32_t a, std::int32_t b) {
      const std::size_t count_a = matrix.row(a).size();
      const std::size_t count_b = matrix.row(b).size();
      return count_a > count_b || (count_a == count_b && a < b);
    });
    for (std::size_t r = 0; r < row.size(); ++r) rank[static_cast<std::size_t>(row[r])] = static_cast<std::int32_t>(r);
  }

  std::vector<std::int32_t> row;   ///< by rank
  std::vector<std::int32_t> rank;  ///< by row
};

}  // namespace recocore
