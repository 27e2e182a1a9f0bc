#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "recocore/rings/bipartite.hpp"
#include "recocore/thread_pool.hpp"

namespace recocore {

/// A set S of accounts and entities, ascending, with the density g(S) = f(S) / |S|.
struct DenseBlock {
  std::vector<std::int32_t> accounts;
  std::vector<std::int32_t> entities;
  double density = 0;
};

struct DenseBlockParams {
  std::int64_t max_blocks = 1;
  double min_density = 0;         ///< the search ends at a block that is not denser
  std::int64_t hub_cap = 0;       ///< entities of more accounts are left out; 0 is no cap
  std::span<const double> prior;  ///< [accounts]: suspicion of each by itself, or empty: none
};

/// FRAUDAR (Hooi et al., KDD 2016): peels off the node that adds least to f, again and again, and keeps the densest of
/// all the sets that were left. f(S) is the sum of priors in S and, over edges in S, of weight / log(d + 5), d being
/// the weight of all the entity's edges: who also links to popular entities does not look better. The block found has
/// at least half the density of the densest one (theorem 2). Then the block's edges and its accounts' priors are taken
/// away and the search begins anew.
///
/// O(blocks edges log(accounts + entities)), on one thread. Of equals, accounts go before entities and low indices
/// before high. Throws Error{invalid_argument} for indices out of range, or weights or priors that are negative or not
/// finite.
[[nodiscard]] std::vector<DenseBlock> dense_blocks(const BipartiteEdges& edges, const DenseBlockParams& params,
                                                   const Execution& execution);

}  // namespace recocore
