#include "recocore/rings/components.hpp"

#include <numeric>
#include <utility>

#include "ops/rings/graph.hpp"

namespace recocore {
namespace {

std::size_t at(std::int64_t index) {
  return static_cast<std::size_t>(index);
}

/// Disjoint sets by size, with path halving.
class DisjointSets {
 public:
  explicit DisjointSets(std::int64_t count) : parent_(at(count)), size_(at(count), 1) {
    std::iota(parent_.begin(), parent_.end(), 0);
  }

  std::int32_t find(std::int32_t node) {
    while (parent_[at(node)] != node) node = parent_[at(node)] = parent_[at(parent_[at(node)])];
    return node;
  }

  void unite(std::int32_t a, std::int32_t b) {
    a = find(a);
    b = find(b);
    if (a == b) return;
    if (size_[at(a)] < size_[at(b)]) std::swap(a, b);
    parent_[at(b)] = a;
    size_[at(a)] += size_[at(b)];
  }

 private:
  std::vector<std::int32_t> parent_;
  std::vector<std::int32_t> size_;
};

}  // namespace

std::vector<std::int32_t> connected_components(const BipartiteEdges& edges, std::int64_t hub_cap) {
  const Adjacency accounts = by_account({edges.accounts, edges.entities, edges.account, edges.entity, {}}, hub_cap);
  const std::int64_t nodes = edges.accounts + edges.entities;
  DisjointSets sets(nodes);
  std::vector<char> joined(at(edges.entities), 0);
  for (std::int64_t r = 0; r < edges.accounts; ++r) {
    for (std::int64_t e = accounts.begin[at(r)]; e < accounts.begin[at(r + 1)]; ++e) {
      const std::int32_t c = accounts.neighbour[at(e)];
      joined[at(c)] = 1;
      sets.unite(static_cast<std::int32_t>(r), static_cast<std::int32_t>(edges.accounts + c));
    }
  }
  std::vector<std::int32_t> hub(at(edges.entities), 0);
  for (const std::int32_t c : edges.entity) hub[at(c)] = joined[at(c)] != 0 ? 0 : 1;
  std::vector<std::int32_t> first(at(nodes), -1);
  std::vector<std::int32_t> labels(at(nodes));
  for (std::int64_t v = 0; v < nodes; ++v) {
    std::int32_t& smallest = first[at(sets.find(static_cast<std::int32_t>(v)))];
    if (smallest < 0) smallest = static_cast<std::int32_t>(v);
    labels[at(v)] = v >= edges.accounts && hub[at(v - edges.accounts)] != 0 ? -1 : smallest;
  }
  return labels;
}

}  // namespace recocore
