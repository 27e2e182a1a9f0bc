#include "ops/similarity_cpu.hpp"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <limits>
#include <string_view>
#include <vector>

#include "base/stage.hpp"
#include "ops/similarity/pair_pass.hpp"
#include "ops/similarity/small_integers.hpp"
#include "ops/similarity/step_pass.hpp"
#include "recocore/memory.hpp"

namespace recocore {
namespace {

std::int64_t entries_of(const CsrView& matrix, std::int32_t row) {
  return std::ssize(matrix.row(row));
}

/// Whether no sum of products of such integers passes 32 bits.
bool sums_fit(const CsrView& matrix, const RowOrder& order, const SmallIntegers& integers) {
  const std::int64_t most = std::numeric_limits<std::uint32_t>::max() / (integers.most * integers.most);
  return order.row.empty() || entries_of(matrix, order.row.front()) <= most;
}

/// The multiply-adds of comparing all rows with all: Σ df² over the columns.
double multiply_adds(const CsrView& matrix, const Execution& execution) {
  constexpr std::int64_t kEntriesEachChunk = 1048576;
  const auto columns = static_cast<std::size_t>(matrix.cols);
  PerWorker<std::vector<std::uint32_t>> workers(execution);
  parallel_for(execution, matrix.nnz(), kEntriesEachChunk, [&](std::int64_t begin, std::int64_t end, int worker) {
    auto& counts = workers.get(worker, [columns] { return std::vector<std::uint32_t>(columns); });
    for (auto e = static_cast<std::size_t>(begin); e < static_cast<std::size_t>(end); ++e)
      ++counts[static_cast<std::size_t>(matrix.indices[e])];
  });
  std::vector<double> totals(columns);
  workers.for_each([&totals](const std::vector<std::uint32_t>& counts) {
    for (std::size_t c = 0; c < totals.size(); ++c) totals[c] += counts[c];
  });
  double products = 0.0;
  for (const double total : totals) products += total * total;
  return products;
}

PairPlan plan_for(const CsrView& matrix, const SimilarityParams& params,
                  const std::optional<std::span<const std::int32_t>>& rows, const Execution& execution) {
  // Below so many multiply-adds for each neighbour that is wanted, choosing costs more than summing up: at 100 one side
  // took two thirds of the time of both, at 200 the same, at 1500 half as much again.
  constexpr double kFewForEachNeighbor = 200.0;
  // Below so many for each row and possible partner, a row meets few of them: at 0.4 noting took a tenth less than
  // looking, at 2 a third more.
  constexpr double kFewForEachPartner = 0.5;
  // Above so many for each row and possible partner, looking at all counts a step at a time costs less than noting: at
  // 0.002 it took a tenth more, at 0.01 a tenth less, at 0.04 two fifths less.
  constexpr double kFewForEachStep = 0.005;
  const auto all = static_cast<double>(matrix.rows);
  const double products = multiply_adds(matrix, execution);
  const double wanted = all * (params.k ? std::min(static_cast<double>(*params.k), all) : all);
  return {.rows = rows,
          .both = !rows && products > kFewForEachNeighbor * wanted,
          .sparse = products<kFewForEachPartner * all * all, .by_steps = products> kFewForEachStep * all * all};
}

/// Kinds that count. Crowded rows, whose columns become bits, come first; the thin rest has sums of half the size.
void count_pairs(const PairInput& input, const PairPlan& plan, double unit, NeighborStore& store) {
  constexpr std::int64_t kThin = std::numeric_limits<std::uint16_t>::max();
  constexpr std::int64_t kPartners = 4096;  // ranks that are crowded or thin together
  const CsrView& matrix = input.matrix;
  if (!plan.both && plan.by_steps && StepPass::serves(input)) return StepPass(input, plan.rows, unit).run(store);
  std::int64_t thin = 0;
  while (thin < matrix.rows) {
    const std::int64_t end = std::min(thin + kPartners, matrix.rows);
    std::int64_t entries = 0;
    for (std::int64_t r = thin; r < end; ++r)
      entries += entries_of(matrix, input.order.row[static_cast<std::size_t>(r)]);
    const bool crowded = !plan.sparse && entries * kCrowdedShare > (end - thin) * matrix.cols;
    if (!crowded && entries_of(matrix, input.order.row[static_cast<std::size_t>(thin)]) <= kThin) break;
    thin = end;
  }
  PairPass<CountMode>(input, plan, 1, 1.0F, unit).run(0, thin, store);
  PairPass<ThinCountMode>(input, plan, 0, 1.0F, unit).run(thin, matrix.rows, store);
}

template <typename Mode>
void sum_pairs(const PairInput& input, const PairPlan& plan, NeighborStore& store) {
  PairPass<Mode>(input, plan).run(0, input.matrix.rows, store);
}

void offer_pairs(const PairInput& input, const PairPlan& plan, NeighborStore& store) {
  const CsrView& matrix = input.matrix;
  switch (sums_needed(input.params.kind)) {
    case SumsNeeded::counts: return count_pairs(input, plan, 1.0, store);
    case SumsNeeded::moments: return sum_pairs<MomentMode>(input, plan, store);
    case SumsNeeded::products: break;
  }
  if (!input.weights.are_values()) return sum_pairs<DoubleMode>(input, plan, store);
  const auto integers = SmallIntegers::find(matrix.values, {input.execution.num_threads, nullptr});
  if (!integers || !sums_fit(matrix, input.order, *integers)) return sum_pairs<FloatMode>(input, plan, store);
  if (integers->alike) {
    const double value = matrix.values.front();
    return count_pairs(input, plan, value * value, store);
  }
  const auto scale = static_cast<float>(integers->scale);
  const int planes = static_cast<int>(std::bit_width(static_cast<unsigned>(integers->most)));
  PairPass<IntegerMode>(input, plan, planes, scale, 1.0 / (scale * scale)).run(0, matrix.rows, store);
}

/// Offers each row to itself.
void offer_selves(const PairInput& input, const PairPlan& plan, NeighborStore& store) {
  constexpr std::int64_t kRowsEachChunk = 64;
  const SumsNeeded needed = sums_needed(input.params.kind);
  const std::int64_t compared = plan.rows ? std::ssize(*plan.rows) : input.matrix.rows;
  const Stage preparing(input.execution, 0.0, 0.0);
  parallel_for(preparing.execution(), compared, kRowsEachChunk, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t owner = begin; owner < end; ++owner) {
      const std::int64_t i = plan.rows ? (*plan.rows)[static_cast<std::size_t>(owner)] : owner;
      const auto n = static_cast<double>(input.matrix.row(i).size());
      if (n < static_cast<double>(input.params.min_support)) continue;
      PairSums sums{n, n, 0.0, 0.0, 0.0, 0.0};
      if (needed != SumsNeeded::counts) {
        const double square = input.weights.square(i);
        const double total = needed == SumsNeeded::moments ? input.weights.total(i) : 0.0;
        sums = {n, square, total, total, square, square};
      }
      const float score = input.formula.score(sums, i, i);
      if (score == 0.0F) continue;
      const NeighborKey key = neighbor_key(score, static_cast<std::int32_t>(i));
      store.offer(owner, {&key, 1});
    }
  });
}

}  // namespace

CsrMatrix similarity_cpu(const CsrView& matrix, const SimilarityParams& params,
                         const std::optional<std::span<const std::int32_t>>& rows, const Execution& execution) {
  MemoryBudget budget("similarity");
  constexpr std::int64_t kBytesEachRow = 48;     // order, figures and norms
  constexpr std::int64_t kBytesEachColumn = 28;  // counts, figures and places
  constexpr std::string_view kNextStep = "compare fewer rows or use a machine with more memory";
  budget.take(matrix.rows, kBytesEachRow, kNextStep);
  budget.take(matrix.cols, kBytesEachColumn, kNextStep);
  budget.take(resolve_threads(execution.num_threads), kBlockBytesEachThread, "lower num_threads");
  const Stage preparing(execution, 0.0, 0.0);
  const EntryWeights weights(matrix, params);
  const Formula formula(matrix, weights, params, preparing.execution());
  const RowOrder order(matrix);
  const PairInput input{matrix, params, weights, formula, order, execution};
  const PairPlan plan = plan_for(matrix, params, rows, preparing.execution());
  const float least = params.threshold.value_or(-std::numeric_limits<float>::infinity());
  NeighborStore store(rows ? std::ssize(*rows) : matrix.rows, params.k, least, budget);
  if (params.include_self) offer_selves(input, plan, store);
  offer_pairs(input, plan, store);
  const Stage finishing(execution, 1.0, 1.0);
  return store.finish(matrix.rows, finishing.execution());
}

}  // namespace recocore
