#pragma once

#include <cstdint>
#include <vector>

#include "recocore/rings/bipartite.hpp"

namespace recocore {

/// For each account, then each entity, the smallest such index of its connected component; -1 for an entity with more
/// than `hub_cap` different accounts, whose edges connect nobody (0 is no cap). O(edges log edges) at most, union-find
/// by size. Throws Error{invalid_argument} for indices out of range.
[[nodiscard]] std::vector<std::int32_t> connected_components(const BipartiteEdges& edges, std::int64_t hub_cap);

}  // namespace recocore
