// Chooses how a top-k problem is solved; the ways are in ops/topk.
#include "ops/topk_cpu.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "kernels/dense/kernel.hpp"
#include "kernels/scan/kernel.hpp"
#include "ops/topk/allowed_part.hpp"
#include "ops/topk/direct.hpp"
#include "ops/topk/exclusions.hpp"
#include "ops/topk/query_bounds.hpp"
#include "ops/topk/scan.hpp"
#include "recocore/error.hpp"
#include "recocore/memory.hpp"

namespace recocore {
namespace {

// Fewer queries than this do not repay packing the items first. Milliseconds of one thread for the 10 best of 2,000
// items, f = 128, floats scanned and packed: 128 queries 1.0 and 1.5, 256 2.0 and 1.9, 1,000 8.0 and 5.7; of 256 items
// 0.36 and 0.31, 0.71 and 0.53, 2.9 and 2.0.
constexpr std::int64_t kQueriesToPack = 512;
constexpr std::int64_t kItemsToPack = 256;
// Items worth more than one thread, in values: some ten microseconds of work.
constexpr std::int64_t kValuesToSlice = 131'072;
// Where more than one pair in so many would pass a scan, all are scored. Milliseconds for 8,000 queries, f = 128,
// floats scanned and all scored: the 10 best of 1,000 items 66 and 87, the 100 best of 1,000 152 and 156, of 2,000 221
// and 235.
constexpr double kPairsPerPass = 5;
// The same for codes, whose first bars are good ones, for 4,000 queries, f = 128, two threads with avx512_vnni and with
// avx2: the 30 best of 300 items 8.0 and 9.9, scored 10.4 and 10.3; the 100 best of 1,000 25 and 32, scored 34 and 35;
// the 200 best 44 and 55, scored 53 and 53.
constexpr double kPairsPerCodePass = 1.5;
// The same for one query by codes, which has no first bar. For 4,000 queries, with amx and with avx2, when many had
// none either: the 100 best of 1,000 items 74 and 100, scored 72 and 86, of 4,000 124 and 155, scored 176 and 165.
constexpr double kPairsPerPassOfOne = 4;
// Queries of a chunk: as many as reuse each block of items well, in a part of a second-level cache.
constexpr std::int64_t kMaxChunk = 384;
constexpr std::int64_t kPanelBytes = 196'608;
// What the candidates of a chunk may take; for a large k chunks get small.
constexpr std::int64_t kCandidateBytes = 4'194'304;

std::size_t at(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

enum class Way : std::uint8_t { floats, codes, codes_of_one };

/// Whether so many would pass a scan that it spares nothing: in any order about k (1 + ln(m / k)) do, and of floats the
/// first ones.
bool few_for(std::int64_t k, std::int64_t positions, Way way) noexcept {
  if (k >= positions) return true;
  const double ratio = static_cast<double>(positions) / static_cast<double>(k);
  const double passing = static_cast<double>(k) * (1 + std::log(ratio));
  const auto looked_at = static_cast<double>(positions);
  if (way == Way::floats) return (passing + 48) * kPairsPerPass > looked_at;
  return passing * (way == Way::codes ? kPairsPerCodePass : kPairsPerPassOfOne) > looked_at;
}

std::int64_t divided_up(std::int64_t a, std::int64_t b) noexcept {
  return (a + b - 1) / b;
}

/// The shared allow-list without repetitions: positions in the order of a scan, or items.
std::vector<std::int32_t> list_positions(std::span<const std::int32_t> allowed, const ItemCodes* codes,
                                         std::int64_t n_items) {
  ItemSet met(n_items);
  std::vector<std::int32_t> listed;
  listed.reserve(allowed.size());
  for (const std::int32_t item : allowed)
    if (met.insert(item)) listed.push_back(codes == nullptr ? item : codes->positions[at(item)]);
  std::sort(listed.begin(), listed.end());
  return listed;
}

double greatest_length(MatrixView<const float> items, const Execution& execution) {
  constexpr std::int64_t kGrain = 512;
  std::vector<double> greatest(at(divided_up(items.rows, kGrain)));
  parallel_for(execution, items.rows, kGrain, [&](std::int64_t begin, std::int64_t end, int) {
    checkpoint();
    for (std::int64_t i = begin; i < end; ++i)
      greatest[at(begin / kGrain)] = std::max(greatest[at(begin / kGrain)], squared_length(items.row(i)));
  });
  return greatest.empty() ? 0 : std::sqrt(*std::max_element(greatest.begin(), greatest.end()));
}

ItemBounds measure(const TopkProblem& problem, const Execution& execution) {
  ItemBounds found;
  if (problem.metric == Metric::cosine) {
    found.length = 1;
  } else if (problem.codes == nullptr) {
    found.length = greatest_length(problem.items, execution);
  } else if (!problem.codes->lengths.empty()) {
    found.length = problem.codes->lengths[0];
  }
  if (problem.metric == Metric::euclidean) found.bias = found.length * found.length / 2;
  // On the scale of half a distance a bias counts half; to take it whole is safe.
  double greatest = 0;
  for (const float bias : problem.biases) {
    greatest = std::max(greatest, std::fabs(static_cast<double>(bias)));
    found.top_bias = std::max(found.top_bias, static_cast<double>(bias));
  }
  found.bias += greatest;
  return found;
}

/// Whether every sum of the problem stays far from overflowing.
bool bounded(const TopkProblem& problem, const ItemBounds& items) noexcept {
  for (std::int64_t q = 0; q < problem.queries.rows; ++q)
    if (!QueryBounds(problem.queries.row(q), problem.metric, items).bounded()) return false;
  return true;
}

bool worth_packing(const TopkProblem& problem, std::int64_t positions) {
  // Below 32 values a row of codes is mostly padding.
  return problem.precision == Precision::automatic && problem.queries.rows >= kQueriesToPack &&
         problem.items.cols >= 32 && problem.items.cols <= 65'536 && positions >= kItemsToPack &&
         positions > problem.items.rows / 4 && kernels::scan().prefers_codes &&
         problem.items.rows * (problem.items.cols + 128) < available_memory() / 4;
}

std::int64_t slices_for(std::int64_t tasks, std::int64_t values, int threads) noexcept {
  return tasks < 2 * std::int64_t{threads} && values >= kValuesToSlice ? threads : 1;
}

std::int64_t chunk_of(const TopkProblem& problem, std::int64_t k, bool by_codes, int threads) noexcept {
  const std::int64_t n = problem.queries.rows;
  if (by_codes && n <= kernels::scan().few_queries) return 1;
  const std::int64_t bytes = by_codes ? problem.codes->codes.cols : 4 * problem.items.cols;
  const std::int64_t room = std::min({kMaxChunk, kPanelBytes / std::max<std::int64_t>(bytes, 1),
                                      kCandidateBytes / (24 * (k + 32)), divided_up(n, 4 * std::int64_t{threads})});
  return std::max<std::int64_t>(room / kernels::kQueryLanes, 1) * kernels::kQueryLanes;
}

/// Whether so few of the items are allowed, for so many queries, that they are gathered first.
bool worth_gathering(const TopkProblem& problem, const CandidateFilter& filter) {
  if (!filter.allow_shared || problem.queries.rows < kQueriesToPack) return false;
  const std::int64_t allowed = std::ssize(*filter.allow_shared);
  return allowed <= problem.items.rows / 4 && allowed * problem.items.cols * 8 < available_memory() / 4;
}

/// Whether codes are scanned where the problem has them.
bool scans_codes(const TopkProblem& problem) {
  // Below 16 values a row of codes is mostly padding. Cosines have no scan of floats.
  return problem.codes != nullptr && problem.precision == Precision::automatic &&
         (problem.metric == Metric::cosine || (problem.items.cols >= 16 && kernels::scan().prefers_codes));
}

/// Ranks each query's own list.
void solve_lists(const TopkProblem& problem, const CandidateFilter& filter, MatrixView<std::int32_t> ids,
                 MatrixView<float> scores, const Execution& execution) {
  std::optional<ItemBounds> bounds;
  if (scans_codes(problem)) bounds = measure(problem, execution);
  if (bounds && !bounded(problem, *bounds)) bounds.reset();
  const auto worth_scanning = [](std::int64_t k, std::int64_t candidates) {
    return !few_for(k, candidates, Way::codes_of_one);
  };
  rank_allowed(problem, filter, bounds ? &*bounds : nullptr, worth_scanning, ids, scores, execution);
}

void solve(const TopkProblem& problem, const CandidateFilter& filter, MatrixView<std::int32_t> ids,
           MatrixView<float> scores, const Execution& execution) {
  const int threads = resolve_threads(execution.num_threads);
  const std::int64_t n = problem.queries.rows;
  std::vector<std::int32_t> listed;
  if (filter.allow_shared) listed = list_positions(*filter.allow_shared, problem.codes, problem.items.rows);
  const std::int64_t positions = filter.allow_shared ? std::ssize(listed) : problem.items.rows;
  const bool by_codes = scans_codes(problem);

  const auto directly = [&] {
    if (problem.codes != nullptr)
      for (std::int32_t& position : listed) position = problem.codes->order[at(position)];
    const std::span<const std::int32_t> items = listed;
    rank_all(problem, filter, filter.allow_shared ? &items : nullptr,
             slices_for(n, positions * problem.items.cols, threads), ids, scores, execution);
  };
  if (!by_codes && (n <= kernels::scan().few_queries || problem.metric == Metric::cosine)) return directly();
  const Way way = !by_codes ? Way::floats : n <= kernels::scan().few_queries ? Way::codes_of_one : Way::codes;
  if (few_for(ids.cols, positions, way)) return directly();
  const ItemBounds bounds = measure(problem, execution);
  if (!bounded(problem, bounds)) return directly();
  ScanPlan plan{bounds, listed, true, positions, chunk_of(problem, ids.cols, by_codes, threads), 1};
  plan.slices = slices_for(divided_up(n, plan.chunk), positions * problem.items.cols, threads);
  (by_codes ? scan_codes : scan_floats)(problem, filter, plan, ids, scores, execution);
}

}  // namespace

void topk_cpu(const TopkProblem& problem, const CandidateFilter& filter, MatrixView<std::int32_t> ids,
              MatrixView<float> scores, const Execution& execution) {
  if (ids.rows == 0 || ids.cols == 0) return;
  if (filter.allow) return solve_lists(problem, filter, ids, scores, execution);
  if (worth_gathering(problem, filter)) {
    const AllowedPart part(problem, filter);
    topk_cpu(part.problem(), part.filter(), ids, scores, execution);
    return part.name(ids);
  }
  const std::int64_t positions = filter.allow_shared ? std::ssize(*filter.allow_shared) : problem.items.rows;
  // Only codes know the lengths that other metrics take.
  const bool must_pack = problem.metric != Metric::inner_product;
  if (problem.codes != nullptr ||
      (!must_pack && (!worth_packing(problem, positions) || few_for(ids.cols, positions, Way::codes))))
    return solve(problem, filter, ids, scores, execution);
  TopkProblem with_codes = problem;
  OwnedItemCodes packed;
  try {
    packed = pack_items(problem.items, execution);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::unsupported) throw;
    return solve(problem, filter, ids, scores, execution);
  }
  const ItemCodes codes = packed.view();
  with_codes.codes = &codes;
  solve(with_codes, filter, ids, scores, execution);
}

void score_all_cpu(MatrixView<const float> queries, MatrixView<const float> items, MatrixView<float> scores,
                   const Execution& execution) {
  // Queries that share one pass over the items.
  constexpr std::int64_t kQueryBlock = 8;
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
