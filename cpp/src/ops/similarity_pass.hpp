// The pass that every similarity kind shares: Gustavson's algorithm over the transpose, then a formula for each pair
// that met.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/per_worker.hpp"
#include "ops/similarity_weights.hpp"
#include "recocore/memory.hpp"
#include "recocore/selection.hpp"
#include "recocore/similarity.hpp"
#include "sparse/row_chunks.hpp"

namespace recocore {

/// What is summed over the common columns of two rows. A kind names the least that it needs.
struct Counts {
  static constexpr bool kWeighted = false;
  std::int32_t n = 0;
  void add() noexcept { ++n; }
};

struct Products {
  static constexpr bool kWeighted = true;
  double xy = 0.0;
  std::int32_t n = 0;
  void add(double x, double y) noexcept {
    ++n;
    xy += x * y;
  }
};

struct Moments {
  static constexpr bool kWeighted = true;
  double x = 0.0, y = 0.0, xx = 0.0, xy = 0.0, yy = 0.0;
  std::int32_t n = 0;
  void add(double a, double b) noexcept {
    ++n;
    x += a;
    y += b;
    xx += a * a;
    xy += a * b;
    yy += b * b;
  }
};

/// A checked matrix and its transpose, with the weights that the kind gives their entries.
template <typename Sums>
class SimilarityPass {
 public:
  /// The arguments must outlive this; without rows every row is compared.
  SimilarityPass(const CsrView& matrix, const SimilarityParams& params,
                 const std::optional<std::span<const std::int32_t>>& rows, const Execution& execution)
      : matrix_(matrix), params_(params), rows_(rows), execution_(execution) {
    constexpr std::int64_t kBytesEachEntry = sizeof(std::int32_t) + sizeof(float) + (Sums::kWeighted ? 16 : 0);
    const std::int64_t chunks = (compared() + kRowsEachChunk - 1) / kRowsEachChunk;
    const std::int64_t workers = std::min<std::int64_t>(resolve_threads(execution.num_threads), chunks);
    budget_.take(matrix_.nnz(), kBytesEachEntry, "compare fewer rows or use a machine with more memory");
    budget_.take(workers * matrix_.rows, sizeof(Sums) + sizeof(std::int32_t), "lower num_threads");
    transposed_ = transpose(matrix_);
    if constexpr (Sums::kWeighted) weights_ = entry_weights(matrix_, transposed_.view(), params_);
  }

  /// The number of entries of a row, as formulas take it.
  [[nodiscard]] double count(std::int64_t row) const { return static_cast<double>(matrix_.row(row).size()); }

  /// figure(row) for each row.
  template <typename Figure>
  [[nodiscard]] std::vector<double> of_rows(const Figure& figure) const {
    std::vector<double> figures(static_cast<std::size_t>(matrix_.rows));
    for (std::int64_t r = 0; r < matrix_.rows; ++r) figures[static_cast<std::size_t>(r)] = figure(r);
    return figures;
  }

  /// Σ w² over the whole row, w being the weights of its entries.
  [[nodiscard]] double square(std::int64_t row) const {
    double squares = 0.0;
    for (std::size_t e = begin_of(row); e < begin_of(row + 1); ++e) squares += weights_.left[e] * weights_.left[e];
    return squares;
  }

  /// The similarities by formula(sums, i, j) -> float64, asked for every pair of a row to be compared and one
  /// with a common column.
  template <typename Formula>
  [[nodiscard]] CsrMatrix run(const Formula& formula) {
    RowChunks result(compared(), matrix_.rows, kRowsEachChunk);
    PerWorker<Scratch> workers(execution_);
    parallel_for(execution_, compared(), kRowsEachChunk, [&](std::int64_t begin, std::int64_t end, int worker) {
      Scratch& mine = workers.get(worker, [&] { return Scratch(matrix_.rows, params_.k); });
      RowChunk chunk;
      for (std::int64_t r = begin; r < end; ++r) {
        const std::int64_t i = rows_ ? (*rows_)[static_cast<std::size_t>(r)] : r;
        checkpoint();
        add_up(i, mine);
        select(i, mine, formula);
        mine.selector.append_by_id(chunk.indices, chunk.values);
        chunk.end_row();
      }
      result.put(begin, std::move(chunk), budget_);
    });
    return result.stitch();
  }

 private:
  static constexpr std::int64_t kRowsEachChunk = 8;  // few, so that a monitor is asked often even where rows are heavy

  /// One thread's memory.
  struct Scratch {
    Scratch(std::int64_t rows, std::optional<std::int64_t> k)
        : sums(static_cast<std::size_t>(rows)), selector(k.value_or(TopkSelector::kUnbounded)) {}
    std::vector<Sums> sums;             // one for each row; all zero between rows
    std::vector<std::int32_t> touched;  // the rows whose sums are not zero
    TopkSelector selector;
  };

  [[nodiscard]] std::int64_t compared() const noexcept { return rows_ ? std::ssize(*rows_) : matrix_.rows; }

  [[nodiscard]] std::size_t begin_of(std::int64_t row) const {
    return static_cast<std::size_t>(matrix_.indptr[static_cast<std::size_t>(row)]);
  }

  void add_up(std::int64_t i, Scratch& scratch) const {
    for (std::size_t e = begin_of(i); e < begin_of(i + 1); ++e) {
      const auto column = static_cast<std::size_t>(matrix_.indices[e]);
      const auto end = static_cast<std::size_t>(transposed_.indptr[column + 1]);
      for (auto t = static_cast<std::size_t>(transposed_.indptr[column]); t < end; ++t) {
        const std::int32_t j = transposed_.indices[t];
        Sums& sums = scratch.sums[static_cast<std::size_t>(j)];
        if (sums.n == 0) scratch.touched.push_back(j);
        if constexpr (Sums::kWeighted) {
          sums.add(weights_.left[e], weights_.right[t]);
        } else {
          sums.add();
        }
      }
    }
  }

  /// Offers what met row i to the selector and leaves the sums zero again.
  template <typename Formula>
  void select(std::int64_t i, Scratch& scratch, const Formula& formula) const {
    for (const std::int32_t j : scratch.touched) {
      const Sums sums = std::exchange(scratch.sums[static_cast<std::size_t>(j)], Sums{});
      if (sums.n < params_.min_support || (j == i && !params_.include_self)) continue;
      const double n = sums.n;
      const double score = formula(sums, i, std::int64_t{j}) * (n / (n + params_.shrinkage));
      const auto rounded = static_cast<float>(score);
      if (rounded != 0.0F && (!params_.threshold || rounded >= *params_.threshold)) scratch.selector.offer(rounded, j);
    }
    scratch.touched.clear();
  }

  const CsrView& matrix_;
  const SimilarityParams& params_;
  const std::optional<std::span<const std::int32_t>>& rows_;
  const Execution& execution_;
  MemoryBudget budget_{"similarity"};
  CsrMatrix transposed_;
  EntryWeights weights_;
};

}  // namespace recocore
