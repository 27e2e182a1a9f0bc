#include "ops/matmul_topk_cpu.hpp"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
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
  static constexpr std::int64_t kBytesEachColumn = sizeof(double) + sizeof(std::int32_t);

  explicit RowProduct(std::int64_t columns) : sums_(at(columns), kUntouched), touched_(at(columns) + 1) {}

  /// Calls emit(column, value) for every entry of a's row times b, in no fixed order.
  template <typename Emit>
  void multiply(const CsrView& a, std::int64_t row, const CsrView& b, const Emit& emit) {
    const auto inner = a.row(row);
    const auto weights = a.row_values(row);
    std::size_t count = 0;
    for (std::size_t e = 0; e < inner.size(); ++e) {
      if (e + 1 < inner.size()) {  // rows of b lie anywhere: the next one comes while this one is added up
        const auto next = b.row(inner[e + 1]);
        const float* next_values = b.row_values(inner[e + 1]).data();
        for (std::size_t t = 0; t < std::min(next.size(), kFetchedEntries); t += kEntriesEachLine) {
          __builtin_prefetch(next.data() + t);
          __builtin_prefetch(next_values + t);
        }
      }
      const double weight = weights[e];
      const auto columns = b.row(inner[e]);
      const auto values = b.row_values(inner[e]);
      for (std::size_t t = 0; t < columns.size(); ++t) {
        double& sum = sums_[static_cast<std::size_t>(columns[t])];
        // Whether a column is new is anybody's guess: written always and counted if it is, no branch can go wrong.
        touched_[count] = columns[t];
        count += is_untouched(sum) ? 1 : 0;
        sum += weight * static_cast<double>(values[t]) + 0.0;  // + 0.0 makes a product of -0.0 a positive zero
      }
    }
    for (std::size_t i = 0; i < count; ++i) {
      const std::int32_t column = touched_[i];
      emit(column, static_cast<float>(std::exchange(sums_[static_cast<std::size_t>(column)], kUntouched)));
    }
  }

 private:
  /// No sum of products without negative zeros is a negative zero, so that this one marks what holds no sum.
  static constexpr double kUntouched = -0.0;

  static bool is_untouched(double sum) noexcept {
    return std::bit_cast<std::uint64_t>(sum) == std::bit_cast<std::uint64_t>(kUntouched);
  }

  static constexpr std::size_t kFetchedEntries = 128;  // of the next row of b: the hardware follows a longer one itself
  static constexpr std::size_t kEntriesEachLine = 16;

  std::vector<double> sums_;
  std::vector<std::int32_t> touched_;  // one longer than there are columns, for the write that is not counted
};

/// Offers candidates to a selector; those that cannot be kept cost one comparison.
class Offers {
 public:
  Offers(TopkSelector& selector, float least) : selector_(&selector), least_(least), bound_(least) {}

  template <typename Admits>
  void offer(std::int32_t column, float value, const Admits& admits) {
    if (value < bound_ || !admits(column)) return;
    selector_->offer(value, column);
    bound_ = std::max(least_, selector_->bound());
  }

 private:
  TopkSelector* selector_;
  float least_;
  float bound_;
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
      Offers offers(selector, params.threshold.value_or(kPadScore));
      product.multiply(a, row, b, [&](std::int32_t column, float value) {
        offers.offer(column, value, [](std::int32_t) { return true; });
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
      Offers offers(selector, kPadScore);
      product.multiply(a, a_rows ? (*a_rows)[at(query)] : query, b,
                       [&, &admitted = admitted](std::int32_t column, float value) {
                         offers.offer(column, value, [&](std::int32_t id) { return admitted.admits(id); });
                       });
      selector.take_sorted(ids.row(query), scores.row(query));
    }
  });
}

}  // namespace recocore
