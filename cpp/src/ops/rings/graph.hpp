// A bipartite graph as its edges by account, each pair once.
#pragma once

#include <cstdint>
#include <vector>

#include "recocore/rings/bipartite.hpp"

namespace recocore {

/// Neighbours of each node of one side.
struct Adjacency {
  std::vector<std::int64_t> begin;      ///< [nodes + 1]
  std::vector<std::int32_t> neighbour;  ///< ascending within a node
  std::vector<double> weight;

  [[nodiscard]] std::int64_t nodes() const { return static_cast<std::int64_t>(begin.size()) - 1; }
  [[nodiscard]] std::int64_t degree(std::int64_t node) const {
    return begin[static_cast<std::size_t>(node + 1)] - begin[static_cast<std::size_t>(node)];
  }
};

/// By account, duplicates merged into the heaviest, edges of weight 0 and of hubs left out. Checks everything.
[[nodiscard]] Adjacency by_account(const BipartiteEdges& edges, std::int64_t hub_cap);

/// The other side's view of the same edges.
[[nodiscard]] Adjacency transposed(const Adjacency& rows, std::int64_t cols);

}  // namespace recocore
