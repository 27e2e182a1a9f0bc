#include "recocore/rings/dense_blocks.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <utility>

#include "ops/rings/graph.hpp"
#include "ops/rings/node_heap.hpp"
#include "recocore/error.hpp"

namespace recocore {
namespace {

// The constant of the paper's section 4.2: edges to a column of degree d weigh 1 / log(d + 5).
constexpr double kColumnConstant = 5;

std::size_t at(std::int64_t index) {
  return static_cast<std::size_t>(index);
}

/// Peels one graph.
class Peeling {
 public:
  Peeling(const Adjacency& accounts, const Adjacency& entities, std::span<const double> prior)
      : accounts_(accounts), prior_(prior), entities_(entities.nodes()), by_entity_(&entities) {
    weigh();
  }

  DenseBlock densest() {
    std::vector<std::int32_t> nodes;
    for (std::size_t v = 0; v < priority_.size(); ++v)
      if (priority_[v] > 0) nodes.push_back(static_cast<std::int32_t>(v));
    NodeHeap heap(priority_, nodes);
    double sum = total_;
    auto left = static_cast<std::int64_t>(nodes.size());
    double best = left > 0 ? sum / static_cast<double>(left) : 0;
    std::size_t removed_at_best = 0;
    std::vector<std::int32_t> removed;
    removed.reserve(nodes.size());
    while (!heap.empty()) {
      const auto [priority, node] = heap.pop();
      removed.push_back(node);
      sum -= priority;
      --left;
      if (left > 0 && sum / static_cast<double>(left) > best) {
        best = sum / static_cast<double>(left);
        removed_at_best = removed.size();
      }
      lower_neighbours(node, heap);
      if (removed.size() % kCheckEvery == 0) checkpoint();
    }
    removed.erase(removed.begin(), removed.begin() + static_cast<std::ptrdiff_t>(removed_at_best));
    return block_of(std::move(removed));
  }

 private:
  static constexpr std::size_t kCheckEvery = 4096;

  void weigh() {
    column_weight_.assign(at(entities_), 0);
    priority_.assign(at(accounts_.nodes() + entities_), 0);
    for (std::int64_t c = 0; c < entities_; ++c) {
      double degree = 0;
      for (std::int64_t e = by_entity_->begin[at(c)]; e < by_entity_->begin[at(c + 1)]; ++e)
        degree += by_entity_->weight[at(e)];
      column_weight_[at(c)] = 1 / std::log(degree + kColumnConstant);
      priority_[at(accounts_.nodes() + c)] = degree * column_weight_[at(c)];
      total_ += degree * column_weight_[at(c)];
    }
    for (std::int64_t r = 0; r < accounts_.nodes(); ++r) {
      double own = prior_.empty() ? 0 : prior_[at(r)];
      total_ += own;
      for (std::int64_t e = accounts_.begin[at(r)]; e < accounts_.begin[at(r + 1)]; ++e)
        own += accounts_.weight[at(e)] * column_weight_[at(accounts_.neighbour[at(e)])];
      priority_[at(r)] = own;
    }
  }

  void lower_neighbours(std::int32_t node, NodeHeap& heap) const {
    const std::int64_t accounts = accounts_.nodes();
    const bool is_account = node < accounts;
    const Adjacency& side = is_account ? accounts_ : *by_entity_;
    const std::int64_t own = is_account ? node : node - accounts;
    for (std::int64_t e = side.begin[at(own)]; e < side.begin[at(own + 1)]; ++e) {
      const std::int32_t other = side.neighbour[at(e)];
      const auto neighbour = static_cast<std::int32_t>(is_account ? accounts + other : other);
      if (!heap.contains(neighbour)) continue;
      heap.lower(neighbour, side.weight[at(e)] * column_weight_[at(is_account ? other : own)]);
    }
  }

  /// With the density summed anew: what was left of the total has gathered rounding.
  [[nodiscard]] DenseBlock block_of(std::vector<std::int32_t> nodes) const {
    std::sort(nodes.begin(), nodes.end());
    DenseBlock block;
    std::vector<char> inside(at(entities_), 0);
    for (const std::int32_t node : nodes) {
      if (node < accounts_.nodes()) {
        block.accounts.push_back(node);
      } else {
        block.entities.push_back(static_cast<std::int32_t>(node - accounts_.nodes()));
        inside[at(block.entities.back())] = 1;
      }
    }
    double sum = 0;
    for (const std::int32_t r : block.accounts) {
      if (!prior_.empty()) sum += prior_[at(r)];
      for (std::int64_t e = accounts_.begin[at(r)]; e < accounts_.begin[at(r + 1)]; ++e) {
        const std::int32_t c = accounts_.neighbour[at(e)];
        if (inside[at(c)] != 0) sum += accounts_.weight[at(e)] * column_weight_[at(c)];
      }
    }
    block.density = nodes.empty() ? 0 : sum / static_cast<double>(nodes.size());
    return block;
  }

  const Adjacency& accounts_;
  std::span<const double> prior_;
  std::int64_t entities_;
  const Adjacency* by_entity_ = nullptr;
  std::vector<double> column_weight_;
  std::vector<double> priority_;
  double total_ = 0;
};

/// Takes the edges inside a block out of the graph.
Adjacency without(const Adjacency& accounts, const DenseBlock& block, std::int64_t entities) {
  std::vector<char> row(at(accounts.nodes()), 0);
  std::vector<char> column(at(entities), 0);
  for (const std::int32_t r : block.accounts) row[at(r)] = 1;
  for (const std::int32_t c : block.entities) column[at(c)] = 1;
  Adjacency rest;
  rest.begin.push_back(0);
  rest.neighbour.reserve(accounts.neighbour.size());
  rest.weight.reserve(accounts.weight.size());
  for (std::int64_t r = 0; r < accounts.nodes(); ++r) {
    for (std::int64_t e = accounts.begin[at(r)]; e < accounts.begin[at(r + 1)]; ++e) {
      if (row[at(r)] != 0 && column[at(accounts.neighbour[at(e)])] != 0) continue;
      rest.neighbour.push_back(accounts.neighbour[at(e)]);
      rest.weight.push_back(accounts.weight[at(e)]);
    }
    rest.begin.push_back(static_cast<std::int64_t>(rest.neighbour.size()));
  }
  return rest;
}

}  // namespace

std::vector<DenseBlock> dense_blocks(const BipartiteEdges& edges, const DenseBlockParams& params,
                                     const Execution& execution) {
  require(params.max_blocks >= 0,
          [&] { return "max_rings: expected at least 0, got " + std::to_string(params.max_blocks); });
  require(params.prior.empty() || static_cast<std::int64_t>(params.prior.size()) == edges.accounts,
          [] { return std::string("priors: expected one for each account"); });
  for (const double p : params.prior)
    require(p >= 0 && std::isfinite(p),
            [&] { return "priors: expected finite numbers >= 0, got " + std::to_string(p); });
  std::vector<DenseBlock> blocks;
  // As a body, so that checkpoint() asks whether to go on.
  parallel_for({1, execution.monitor}, 1, 1, [&](std::int64_t, std::int64_t, int) {
    Adjacency accounts = by_account(edges, params.hub_cap);
    std::vector<double> prior(params.prior.begin(), params.prior.end());
    while (static_cast<std::int64_t>(blocks.size()) < params.max_blocks) {
      const Adjacency entities = transposed(accounts, edges.entities);
      DenseBlock block = Peeling(accounts, entities, prior).densest();
      if (block.accounts.empty() || !(block.density > params.min_density)) break;
      accounts = without(accounts, block, edges.entities);
      if (!prior.empty())
        for (const std::int32_t r : block.accounts) prior[at(r)] = 0;
      // Accounts that are dense by their priors alone are no block.
      if (!block.entities.empty()) blocks.push_back(std::move(block));
      checkpoint();
    }
  });
  return blocks;
}

}  // namespace recocore
