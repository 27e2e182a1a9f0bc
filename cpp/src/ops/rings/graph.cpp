#include "ops/rings/graph.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "recocore/error.hpp"
#include "recocore/memory.hpp"

namespace recocore {
namespace {

std::size_t at(std::int64_t index) {
  return static_cast<std::size_t>(index);
}

void check(const BipartiteEdges& edges) {
  const auto fits = [](std::int64_t n) { return n >= 0 && n < std::numeric_limits<std::int32_t>::max() / 2; };
  require(fits(edges.accounts) && fits(edges.entities),
          [] { return std::string("accounts, entities: expected at most 2**30 of each"); });
  require(edges.account.size() == edges.entity.size() &&
              (edges.weight.empty() || edges.weight.size() == edges.account.size()),
          [] { return std::string("edges: expected as many accounts, entities and weights"); });
  for (std::size_t e = 0; e < edges.account.size(); ++e) {
    require(edges.account[e] >= 0 && edges.account[e] < edges.accounts,
            [&] { return "accounts: expected an index in range, got " + std::to_string(edges.account[e]); });
    require(edges.entity[e] >= 0 && edges.entity[e] < edges.entities,
            [&] { return "entities: expected an index in range, got " + std::to_string(edges.entity[e]); });
  }
  for (const double w : edges.weight)
    require(w >= 0 && std::isfinite(w),
            [&] { return "weights: expected finite numbers >= 0, got " + std::to_string(w); });
}

/// Drops what `drop(edge)` names, in place.
template <typename Drop>
void filter(Adjacency& rows, const Drop& drop) {
  std::int64_t kept = 0;
  for (std::int64_t r = 0; r < rows.nodes(); ++r) {
    const std::int64_t begin = rows.begin[at(r)];
    rows.begin[at(r)] = kept;
    for (std::int64_t e = begin; e < rows.begin[at(r + 1)]; ++e) {
      if (drop(e)) continue;
      rows.neighbour[at(kept)] = rows.neighbour[at(e)];
      rows.weight[at(kept)] = rows.weight[at(e)];
      ++kept;
    }
  }
  rows.begin.back() = kept;
  rows.neighbour.resize(at(kept));
  rows.weight.resize(at(kept));
}

}  // namespace

Adjacency transposed(const Adjacency& rows, std::int64_t cols) {
  Adjacency result;
  result.begin.assign(at(cols + 1), 0);
  for (const std::int32_t c : rows.neighbour) ++result.begin[at(c) + 1];
  for (std::int64_t c = 0; c < cols; ++c) result.begin[at(c + 1)] += result.begin[at(c)];
  std::vector<std::int64_t> next(result.begin.begin(), result.begin.end() - 1);
  result.neighbour.resize(rows.neighbour.size());
  result.weight.resize(rows.weight.size());
  for (std::int64_t r = 0; r < rows.nodes(); ++r) {
    for (std::int64_t e = rows.begin[at(r)]; e < rows.begin[at(r + 1)]; ++e) {
      const std::int64_t place = next[at(rows.neighbour[at(e)])]++;
      result.neighbour[at(place)] = static_cast<std::int32_t>(r);
      result.weight[at(place)] = rows.weight[at(e)];
    }
  }
  return result;
}

Adjacency by_account(const BipartiteEdges& edges, std::int64_t hub_cap) {
  check(edges);
  require(hub_cap >= 0, [&] { return "hub_cap: expected at least 0, got " + std::to_string(hub_cap); });
  const auto count = static_cast<std::int64_t>(edges.account.size());
  MemoryBudget("find_rings").take(count, 80, "pass fewer edges, for example only the latest");
  // Bucketed by entity in the order given, then by account: a row's entities ascend.
  Adjacency by_entity;
  by_entity.begin.assign(at(edges.entities + 1), 0);
  for (const std::int32_t c : edges.entity) ++by_entity.begin[at(c) + 1];
  for (std::int64_t c = 0; c < edges.entities; ++c) by_entity.begin[at(c + 1)] += by_entity.begin[at(c)];
  std::vector<std::int64_t> next(by_entity.begin.begin(), by_entity.begin.end() - 1);
  by_entity.neighbour.resize(at(count));
  by_entity.weight.resize(at(count));
  for (std::int64_t e = 0; e < count; ++e) {
    const std::int64_t place = next[at(edges.entity[at(e)])]++;
    by_entity.neighbour[at(place)] = edges.account[at(e)];
    by_entity.weight[at(place)] = edges.weight.empty() ? 1.0 : edges.weight[at(e)];
  }
  Adjacency rows = transposed(by_entity, edges.accounts);
  // The last of equal neighbours stays, with the most of them.
  const auto& neighbour = rows.neighbour;
  for (std::int64_t r = 0; r < rows.nodes(); ++r)
    for (std::int64_t e = rows.begin[at(r)] + 1; e < rows.begin[at(r + 1)]; ++e)
      if (neighbour[at(e)] == neighbour[at(e - 1)])
        rows.weight[at(e)] = std::max(rows.weight[at(e)], std::exchange(rows.weight[at(e - 1)], 0.0));
  filter(rows, [&](std::int64_t e) { return rows.weight[at(e)] == 0; });
  if (hub_cap > 0) {
    std::vector<std::int64_t> degree(at(edges.entities), 0);
    for (const std::int32_t c : rows.neighbour) ++degree[at(c)];
    filter(rows, [&](std::int64_t e) { return degree[at(rows.neighbour[at(e)])] > hub_cap; });
  }
  return rows;
}

}  // namespace recocore
