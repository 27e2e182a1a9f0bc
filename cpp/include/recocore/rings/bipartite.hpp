#pragma once

#include <cstdint>
#include <span>

namespace recocore {

/// Edges between accounts and entities, in any order; of several between the same two the heaviest counts.
struct BipartiteEdges {
  std::int64_t accounts = 0;
  std::int64_t entities = 0;
  std::span<const std::int32_t> account;  ///< [edges]
  std::span<const std::int32_t> entity;   ///< [edges]
  std::span<const double> weight;         ///< [edges], or empty: all 1
};

}  // namespace recocore
