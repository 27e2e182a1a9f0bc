#include "ops/matmul_topk_cpu.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "base/per_worker.hpp"
#include "recocore/memory.hpp"
#include "recocore/selection.hpp"
#include "sparse/row_chunks.hpp"

namespace recocore {
namespace {

constexpr std::int64_t kRowsEachChunk = 8;  // few, so that a monitor is asked often even where rows are heavy

std::size_t at(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

/// One row of the product at a time, in one thread's memory: a dense float64 accumulator and a list of what it holds.
class RowProduct {
 public:
  /// Bytes a column of b.
  static constexpr std::int64_t kBytesEachColumn = sizeof(double) + sizeof(bool) + sizeof(std::int32_t);

  explicit RowProduct(std::int64_t columns) : sums_(at(columns), 0.0), met_(at(columns), 0) {}

  /// Calls emit(column, value) for every entry of a's row times b, in no fixed order.
  template <typename Emit>
  void multiply(const CsrView& a, std::int64_t row, const CsrView& b, const Emit& emit) {
    const auto inner = a.row(row);
    const auto weights = a.row_values(row);
    for (std::size_t e = 0; e < inner.size(); ++e) {
      const double weight = weights[e];
      const auto columns = b.row(inner[e]);
      const auto values = b.row_values(inner[e]);
      for (std::size_t t = 0; t < columns.size(); ++t) {
        const auto column = static_cast<std::size_t>(columns[t]);
        if (met_[column] == 0) touched_.push_back(columns[t]);
        met_[column] = 1;
        sums_[column] += weight * static_cast<double>(values[t]);
      }
    }
    for (const std::int32_t column : touched_) {
      const auto c = static_cast<std::size_t>(column);
      met_[c] = 0;
      emit(column, static_cast<float>(std::exchange(sums_[c], 0.0)));
    }
    touched_.clear();
  }

 private:
  std::vector<double> sums_;
  std::vector<std::uint8_t> met_;  // apart from the sums, for a sum may come back to 0
  std::vector<std::int32_t> touched_;
};

void take_scratch(MemoryBudget& budget, const Execution& execution, std::int64_t rows, std::int64_t bytes) {
  const std::int64_t chunks = (rows + kRowsEachChunk - 1) / kRowsEachChunk;
  budget.take(std::min<std::int64_t>(resolve_threads(execution.num_threads), chunks), bytes, "lower num_threads");
}

}  // namespace

CsrMatrix matmul_topk_cpu(const CsrView& a, const CsrView& b, const MatmulTopkParams& params,
                          const Execution& execution) {
  struct Scratch {
    RowProduct product;
    TopkSelector selector;
  };
  MemoryBudget budget("matmul_topk");
  take_scratch(budget, execution, a.rows, b.cols * RowProduct::kBytesEachColumn);
  PerWorker<Scratch> workers(execution);
  RowChunks result(a.rows, b.cols, kRowsEachChunk);
  parallel_for(execution, a.rows, kRowsEachChunk, [&](std::int64_t begin, std::int64_t end, int worker) {
    auto& [product, selector] = workers.get(
        worker, [&] { return Scratch{RowProduct(b.cols), TopkSelector(params.k.value_or(TopkSelector::kUnbounded))}; });
    RowChunk chunk;
    for (std::int64_t row = begin; row < end; ++row) {
      checkpoint();
      product.multiply(a, row, b, [&, &selector = selector](std::int32_t column, float value) {
        if (!params.threshold || value >= *params.threshold) selector.offer(value, column);
      });
      selector.append_by_id(chunk.indices, chunk.values);
      chunk.end_row();
    }
    result.put(begin, std::move(chunk), budget);
  });
  return result.stitch();
}

void matmul_topk_padded_cpu(const CsrView& a, const std::optional<std::span<const std::int32_t>>& a_rows,
                            const CsrView& b, const CandidateFilter& filter, const MatrixView<std::int32_t>& ids,
                            const MatrixView<float>& scores, const Execution& execution) {
  struct Scratch {
    RowProduct product;
    TopkSelector selector;
    RowFilter admitted;
  };
  constexpr std::int64_t kFilterBytesEachColumn = 2 * sizeof(std::uint32_t);
  MemoryBudget budget("matmul_topk");
  take_scratch(budget, execution, ids.rows, b.cols * (RowProduct::kBytesEachColumn + kFilterBytesEachColumn));
  PerWorker<Scratch> workers(execution);
  parallel_for(execution, ids.rows, kRowsEachChunk, [&](std::int64_t begin, std::int64_t end, int worker) {
    auto& [product, selector, admitted] = workers.get(
        worker, [&] { return Scratch{RowProduct(b.cols), TopkSelector(ids.cols), RowFilter(filter, b.cols)}; });
    for (std::int64_t query = begin; query < end; ++query) {
      checkpoint();
      admitted.begin_row(query);
      product.multiply(a, a_rows ? (*a_rows)[at(query)] : query, b,
                       [&, &selector = selector, &admitted = admitted](std::int32_t column, float value) {
                         if (admitted.admits(column)) selector.offer(value, column);
                       });
      selector.take_sorted(ids.row(query), scores.row(query));
    }
  });
}

}  // namespace recocore
