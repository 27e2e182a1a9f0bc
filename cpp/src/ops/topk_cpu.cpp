#include "ops/topk_cpu.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "kernels/dense/kernel.hpp"
#include "recocore/selection.hpp"

namespace recocore {
namespace {

// Queries that share one pass over the items, so that a block of items is read from cache by all of them.
constexpr std::int64_t kQueryBlock = 8;
// Items of a block: 256 rows of 64 floats are 64 KiB, half of a small L2.
constexpr std::int64_t kItemBlock = 256;

std::size_t at(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

/// One thread's working memory.
struct Worker {
  Worker(const CandidateFilter& filter, std::int64_t n_items, std::int64_t k)
      : selectors(kQueryBlock, TopkSelector(k)) {
    if (!filter.empty()) filters.resize(kQueryBlock, RowFilter(filter, n_items));
  }

  std::vector<TopkSelector> selectors;
  std::vector<RowFilter> filters;  // one a query of the block; empty when everything passes
};

}  // namespace

void topk_cpu(MatrixView<const float> queries, MatrixView<const float> items, const CandidateFilter& filter,
              MatrixView<std::int32_t> ids, MatrixView<float> scores, const Execution& execution) {
  const auto& kernel = kernels::dense();
  std::vector<std::unique_ptr<Worker>> workers(at(resolve_threads(execution.num_threads)));
  parallel_for(execution, queries.rows, kQueryBlock, [&](std::int64_t begin, std::int64_t end, int thread) {
    auto& worker = workers[at(thread)];
    if (!worker) worker = std::make_unique<Worker>(filter, items.rows, ids.cols);
    if (!worker->filters.empty())
      for (std::int64_t q = begin; q < end; ++q) worker->filters[at(q - begin)].begin_row(q);
    for (std::int64_t first = 0; first < items.rows; first += kItemBlock) {
      checkpoint();
      const std::int64_t last = std::min(first + kItemBlock, items.rows);
      for (std::int64_t q = begin; q < end; ++q) {
        TopkSelector& selector = worker->selectors[at(q - begin)];
        const float* query = queries.row(q).data();
        for (std::int64_t i = first; i < last; ++i) {
          const float score = kernel.dot_f32(query, items.row(i).data(), items.cols);
          if (score < selector.bound()) continue;
          const auto id = static_cast<std::int32_t>(i);
          if (worker->filters.empty() || worker->filters[at(q - begin)].admits(id)) selector.offer(score, id);
        }
      }
    }
    for (std::int64_t q = begin; q < end; ++q) worker->selectors[at(q - begin)].take_sorted(ids.row(q), scores.row(q));
  });
}

void score_all_cpu(MatrixView<const float> queries, MatrixView<const float> items, MatrixView<float> scores,
                   const Execution& execution) {
  const auto& kernel = kernels::dense();
  parallel_for(execution, queries.rows, kQueryBlock, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t q = begin; q < end; ++q) {
      checkpoint();
      for (std::int64_t i = 0; i < items.rows; ++i)
        scores.row(q)[at(i)] = kernel.dot_f32(queries.row(q).data(), items.row(i).data(), items.cols);
    }
  });
}

}  // namespace recocore
