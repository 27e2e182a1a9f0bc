#include "recocore/anomaly/isolation_forest.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "base/per_worker.hpp"
#include "kernels/forest/kernel.hpp"
#include "ops/anomaly/coded_forest.hpp"
#include "ops/anomaly/isolation_tree.hpp"
#include "ops/anomaly/row_forest.hpp"
#include "recocore/error.hpp"
#include "recocore/memory.hpp"

namespace recocore {
namespace {

std::size_t at(std::int64_t index) {
  return static_cast<std::size_t>(index);
}

/// Ways down that advance together, so that their loads overlap.
constexpr int kWalks = 16;
/// Numbering the values of fewer rows takes longer than it saves: 31 rows walk in 33 us, 32 go down numbered in 27.
constexpr std::int64_t kLeastCoded = 32;

void check(bool holds, const char* expected) {
  if (!holds) throw Error(ErrorCode::corrupt, std::string("isolation forest: expected ") + expected);
}

}  // namespace

double mean_search_length(std::int64_t n) {
  if (n <= 1) return 0;
  if (n == 2) return 1;
  constexpr double kEuler = 0.57721566490153286061;
  const auto size = static_cast<double>(n);
  return 2 * (std::log(size - 1) + kEuler) - 2 * (size - 1) / size;
}

ForestArrays IsolationForest::fit(const FeatureMatrix& rows, std::int64_t trees, std::int64_t sample_size,
                                  std::uint64_t seed, const Execution& execution) {
  const std::int64_t n = rows.rows();
  const std::int64_t f = rows.cols();
  require(n > 0 && f > 0, [&] {
    return "X: expected at least one row and one feature, got " + std::to_string(n) + " x " + std::to_string(f);
  });
  require(trees > 0, [&] { return "n_trees: expected at least 1, got " + std::to_string(trees); });
  require(sample_size > 0, [&] { return "sample_size: expected at least 1, got " + std::to_string(sample_size); });
  const std::int64_t sampled = std::min(n, sample_size);
  MemoryBudget("IsolationForest.fit").take(trees * 2, sampled * 64, "lower n_trees or sample_size");
  require(trees * 2 * sampled <= std::numeric_limits<std::int32_t>::max(),
          [] { return std::string("n_trees: expected at most 2**31 nodes in all; lower n_trees or sample_size"); });
  const int height = static_cast<int>(std::bit_width(static_cast<std::uint64_t>(sampled - 1)));
  std::vector<ForestArrays> grown(at(trees));
  PerWorker<TreeSample> scratch(execution);
  parallel_for(execution, trees, 1, [&](std::int64_t begin, std::int64_t end, int worker) {
    for (std::int64_t t = begin; t < end; ++t) {
      SplitMix64 random(seed, static_cast<std::uint64_t>(t));
      TreeSample& sample =
          scratch.get(worker, [&] { return TreeSample{std::vector<double>(at(sampled * f)), sampled, f}; });
      std::int64_t place = 0;
      for (const std::int64_t row : draw_rows(n, sampled, random))
        rows.read_rows(row, row + 1, sample.values.data() + f * place++);
      grown[at(t)] = grow_tree(sample, height, random);
    }
  });
  ForestArrays forest;
  forest.features = f;
  forest.sampled = sampled;
  const auto append = [](auto& all, const auto& more) { all.insert(all.end(), more.begin(), more.end()); };
  for (const ForestArrays& tree : grown) {
    const auto root = static_cast<std::int32_t>(forest.left.size());
    forest.roots.push_back(root);
    append(forest.feature, tree.feature);
    append(forest.threshold, tree.threshold);
    append(forest.missing_right, tree.missing_right);
    append(forest.path, tree.path);
    for (const std::int32_t left : tree.left) forest.left.push_back(root + left);
  }
  return forest;
}

IsolationForest::IsolationForest(ForestArrays arrays) : arrays_(std::move(arrays)) {
  const ForestArrays& a = arrays_;
  const auto nodes = static_cast<std::int64_t>(a.left.size());
  check(a.features > 0 && a.sampled > 0 && !a.roots.empty(), "features, sampled rows and trees");
  check(a.feature.size() == a.left.size() && a.threshold.size() == a.left.size() && a.path.size() == a.left.size() &&
            a.missing_right.size() == a.left.size(),
        "arrays of one length over nodes");
  check(a.roots.front() == 0 &&
            std::adjacent_find(a.roots.begin(), a.roots.end(), std::greater_equal<>()) == a.roots.end() &&
            a.roots.back() < nodes,
        "roots that rise from 0");
  std::vector<int> depth(a.left.size(), 0);
  nodes_.reserve(a.left.size());
  for (std::int64_t i = 0; i < nodes; ++i) {
    const std::int32_t left = a.left[at(i)];
    const bool leaf = a.feature[at(i)] < 0;
    check(std::isfinite(a.path[at(i)]), "finite path lengths");
    if (leaf) {
      check(left == i && a.threshold[at(i)] == std::numeric_limits<double>::infinity() && a.missing_right[at(i)] == 0,
            "leaves that lead nowhere");
    } else {
      check(a.feature[at(i)] < a.features && left > i && left + 1 < nodes && std::isfinite(a.threshold[at(i)]),
            "nodes whose children come after them");
      depth[at(left)] = depth[at(left + 1)] = depth[at(i)] + 1;
      height_ = std::max(height_, depth[at(left)]);
    }
    nodes_.push_back({a.threshold[at(i)], left, std::max(a.feature[at(i)], 0)});
  }
  normaliser_ = mean_search_length(a.sampled);
  coded_ = std::make_unique<const CodedForest>(a, height_);
  for_rows_ = std::make_unique<const RowForest>(a, height_);
}

IsolationForest::IsolationForest(IsolationForest&&) noexcept = default;
IsolationForest& IsolationForest::operator=(IsolationForest&&) noexcept = default;
IsolationForest::~IsolationForest() = default;

template <bool kMissing>
std::int32_t IsolationForest::step(std::int32_t index, const double* row) const {
  const Node& node = nodes_[at(index)];
  const double value = row[node.feature];
  bool right = value > node.threshold;  // NOLINT(misc-const-correctness)
  if constexpr (kMissing) right |= std::isnan(value) && arrays_.missing_right[at(index)] != 0;
  return node.left + (right ? 1 : 0);
}

template <bool kMissing>
void IsolationForest::walk(std::int32_t* places, const double* const* rows) const {
  // A leaf leads to itself, so all ways are as long as the longest and none is looked at before.
  for (int depth = 0; depth < height_; ++depth)
    for (int q = 0; q < kWalks; ++q) places[q] = step<kMissing>(places[q], rows[q]);
}

template <bool kMissing>
void IsolationForest::add_paths(const double* block, std::int64_t rows, double* sums) const {
  const auto trees = static_cast<std::int64_t>(arrays_.roots.size());
  std::int32_t places[kWalks];
  const double* at_rows[kWalks];
  const bool trees_together = rows < kWalks;  // else rows
  const std::int64_t outer = trees_together ? rows : trees;
  const std::int64_t inner = trees_together ? trees : rows;
  for (std::int64_t o = 0; o < outer; ++o) {
    for (std::int64_t first = 0; first < inner; first += kWalks) {
      const auto count = std::min<std::int64_t>(kWalks, inner - first);
      for (std::int64_t q = 0; q < kWalks; ++q) {  // what is too many goes the way of the last
        const std::int64_t i = first + std::min(q, count - 1);
        places[q] = arrays_.roots[at(trees_together ? i : o)];
        at_rows[q] = block + (trees_together ? o : i) * arrays_.features;
      }
      walk<kMissing>(places, at_rows);
      for (std::int64_t q = 0; q < count; ++q) sums[trees_together ? o : first + q] += arrays_.path[at(places[q])];
    }
  }
}

double IsolationForest::sum_paths(const double* row, RowScratch& scratch) const {
  for_rows_->find_paths(row, scratch);
  double sum = 0;
  for (std::size_t t = 0; t < scratch.paths.size(); ++t) {
    double path = scratch.paths[t];
    if (std::isnan(path)) {
      std::int32_t node = arrays_.roots[t];
      while (arrays_.feature[at(node)] >= 0) node = step<false>(node, row);
      path = arrays_.path[at(node)];
    }
    sum += path;
  }
  return sum;
}

double IsolationForest::score_of(double paths) const {
  // Trees of one row say nothing.
  const auto trees = static_cast<double>(arrays_.roots.size());
  return normaliser_ > 0 ? std::exp2(-(paths / trees) / normaliser_) : 0.5;
}

void IsolationForest::score(const FeatureMatrix& rows, std::span<double> scores, const Execution& execution) const {
  rows.require_features(arrays_.features);
  struct Scratch {
    std::vector<double> block;
    CodedForest::Scratch coded;
    RowScratch row;
  };
  PerWorker<Scratch> scratch(execution);
  parallel_for(execution, rows.rows(), kernels::kCodedRows, [&](std::int64_t begin, std::int64_t end, int worker) {
    Scratch& mine = scratch.get(worker, [] { return Scratch{}; });
    const std::int64_t count = end - begin;
    double* sums = scores.data() + begin;
    bool summed = false;
    if (count >= kLeastCoded && !coded_->empty()) {
      mine.block.resize(at(kernels::kCodedRows * arrays_.features));
      summed = !rows.read_columns(begin, end, mine.block.data(), kernels::kCodedRows);
      if (summed) coded_->sum_paths(mine.block.data(), count, sums, mine.coded);
    }
    if (!summed) {
      mine.block.resize(at(count * arrays_.features));
      std::fill_n(sums, count, 0.0);
      if (rows.read_rows(begin, end, mine.block.data()))
        add_paths<true>(mine.block.data(), count, sums);
      else if (for_rows_->empty())
        add_paths<false>(mine.block.data(), count, sums);
      else
        for (std::int64_t r = 0; r < count; ++r)
          sums[r] = sum_paths(mine.block.data() + r * arrays_.features, mine.row);
    }
    for (std::int64_t r = 0; r < count; ++r) sums[r] = score_of(sums[r]);
  });
}

void IsolationForest::explain(const FeatureMatrix& rows, MatrixView<double> reasons, const Execution& execution) const {
  rows.require_features(arrays_.features);
  const double unit = normaliser_ > 0 ? 1 / (normaliser_ * static_cast<double>(arrays_.roots.size())) : 0;
  PerWorker<std::vector<double>> scratch(execution);
  parallel_for(execution, rows.rows(), kRowBlock, [&](std::int64_t begin, std::int64_t end, int worker) {
    std::vector<double>& row = scratch.get(worker, [&] { return std::vector<double>(at(arrays_.features)); });
    for (std::int64_t r = begin; r < end; ++r) {
      rows.read_rows(r, r + 1, row.data());
      const auto out = reasons.row(r);
      std::fill(out.begin(), out.end(), 0.0);
      for (const std::int32_t root : arrays_.roots) {
        for (std::int32_t node = root; arrays_.feature[at(node)] >= 0;) {
          const std::int32_t next = step<true>(node, row.data());
          out[at(arrays_.feature[at(node)])] += arrays_.path[at(node)] - arrays_.path[at(next)];
          node = next;
        }
      }
      for (double& reason : out) reason *= unit;
    }
  });
}

}  // namespace recocore
