#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "recocore/csr.hpp"

namespace recocore {

/// The rows of a matrix, those with the most entries first (then by number). Blocks of neighbouring ranks are then
/// either crowded enough for bit sets or thin enough for lists, and the sums of the popular stay in the cache.
struct RowOrder {
  explicit RowOrder(const CsrPattern& matrix)
      : row(static_cast<std::size_t>(matrix.rows)), rank(static_cast<std::size_t>(matrix.rows)) {
    const auto entries = [&](std::size_t r) { return matrix.row(static_cast<std::int64_t>(r)).size(); };
    std::size_t most = 0;
    for (std::size_t r = 0; r < row.size(); ++r) most = std::max(most, entries(r));
    std::vector<std::int64_t> places(most + 2, 0);  // counting sort: where the rows of each length start
    for (std::size_t r = 0; r < row.size(); ++r) ++places[most - entries(r) + 1];
    for (std::size_t n = 1; n < places.size(); ++n) places[n] += places[n - 1];
    for (std::size_t r = 0; r < row.size(); ++r)
      row[static_cast<std::size_t>(places[most - entries(r)]++)] = static_cast<std::int32_t>(r);
    for (std::size_t r = 0; r < row.size(); ++r) rank[static_cast<std::size_t>(row[r])] = static_cast<std::int32_t>(r);
  }

  std::vector<std::int32_t> row;   ///< by rank
  std::vector<std::int32_t> rank;  ///< by row
};

}  // namespace recocore
