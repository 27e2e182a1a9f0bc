#include "ops/als_plan.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "ops/cholesky.hpp"

namespace recocore {
namespace {

// Rows longer than this are cut into chunks for all threads.
constexpr std::int64_t kSharedRow = 16'384;
// Rows are ordered by length up to this, and by row beyond it.
constexpr std::int64_t kOrderedLength = 65'536;

// Rows are taken in blocks of consecutive ones with that many entries (128 MiB of columns and values), so that a matrix
// which is mapped and larger than the memory is read once from its beginning to its end.
constexpr std::int64_t kBlockEntries = 16'777'216;

// The costs are in multiplications at the kernels' full speed. What a block of kLane unknowns costs besides, in its
// triangle and two substitutions, took as long as this many.
constexpr double kBlockCost = 22'000;
// Copying a factor of an entry, and copying it transposed.
constexpr double kCopyCost = 5;
constexpr double kTransposeCost = 12;
// Once through a factor of an entry for its prediction, or for the sum; what a step of conjugate gradient costs besides
// for each factor, and for a row. Zen 3, three steps, the basis included: 16 entries at 128 factors 2.0 us (the dual
// 2.8), 96 entries 6.9 us (29), 256 entries 21 us (Cholesky 83); at 256 factors 5.3 (5.5), 15 (48) and 57 us (328).
constexpr double kPassCost = 3.2;
constexpr double kStepCost = 34;
constexpr double kStepStart = 4500;

double real(std::int64_t n) {
  return static_cast<double>(n);
}

/// Cholesky of n unknowns and the solution.
double system_cost(double n) {
  return n * n * n / 6 + n * n * 4 + n / real(kernels::kLane) * kBlockCost;
}

double primal_cost(std::int64_t entries, std::int64_t factors) {
  const double f = real(padded(factors));
  return real(entries) * f * ((f + 24) / 2 + kCopyCost) + system_cost(f);
}

double dual_cost(std::int64_t entries, std::int64_t factors) {
  const double f = real(padded(factors));
  const double n = real(padded(entries));
  return n * f * ((n + 24) / 2 + kTransposeCost) + system_cost(n);
}

double subspace_cost(std::int64_t entries, std::int64_t factors, std::int64_t block) {
  const double f = real(padded(factors));
  const double b = std::min(real(padded(block)), f);
  return real(entries) * f * ((b + 24) / 2 + 2 * kCopyCost) + f / b * system_cost(b);
}

double cg_cost(std::int64_t entries, std::int64_t factors, int steps) {
  const double f = real(padded(factors));
  return kPassCost * (2.0 * steps + 1) * real(entries) * f + (steps + 1.0) * (kStepCost * f + kStepStart);
}

/// rows_of[n] rows have n entries, the last element counting those with at least as many.
std::vector<std::int64_t> count_lengths(const CsrPattern& interactions) {
  std::vector<std::int64_t> rows_of(static_cast<std::size_t>(kOrderedLength) + 1, 0);
  for (std::int64_t r = 0; r < interactions.rows; ++r)
    ++rows_of[static_cast<std::size_t>(std::min<std::int64_t>(std::ssize(interactions.row(r)), kOrderedLength))];
  return rows_of;
}

/// One way to go through a half-epoch, and its cost but for what all ways have.
struct Way {
  AlsSolver others;
  bool rotated;
  std::int64_t dual_limit;
  double cost;
};

/// The cheaper of the given basis and the eigenbasis for `others`; with the dual for short rows where that is exact.
Way find_way(AlsSolver others, const std::vector<std::int64_t>& rows_of, const CsrPattern& interactions,
             std::int64_t factors, const AlsParams& params) {
  const bool is_automatic = params.solver == AlsSolver::automatic;
  const double f = real(padded(factors));
  const auto other_cost = [&](std::int64_t n) {
    if (others == AlsSolver::subspace) return subspace_cost(n, factors, params.block_size);
    if (others == AlsSolver::cholesky) return primal_cost(n, factors);
    // To be exact is worth a step. The dual's unknowns come in lanes, so the last of a lane speaks for all.
    return cg_cost(is_automatic ? padded(n) : n, factors, params.cg_steps + (is_automatic ? 1 : 0));
  };
  Way way{others, false, 0, 0};
  if (is_automatic || others == AlsSolver::cholesky) {
    const std::int64_t longest = std::min<std::int64_t>(4 * padded(factors), kOrderedLength - 1);
    while (way.dual_limit < longest && dual_cost(way.dual_limit + 1, factors) < other_cost(way.dual_limit + 1))
      ++way.dual_limit;
  }
  double given = 0;
  double turned = 0;
  for (std::int64_t n = 1; n <= kOrderedLength; ++n) {
    const double rows = real(rows_of[static_cast<std::size_t>(n)]);
    given += rows * other_cost(n);
    turned += rows * (n <= way.dual_limit ? dual_cost(n, factors) : other_cost(n));
  }
  // Conjugate gradient and subspaces multiply every row by the Gram matrix, unless that is diagonal.
  const double products = others == AlsSolver::cg ? params.cg_steps + 1 : others == AlsSolver::subspace ? 1 : 0;
  given += real(interactions.rows) * f * f * products * 4;
  // The basis is found on few threads and by slower arithmetic: at 256 factors it took 20 ms, as 2e9 multiplications.
  const double eigen = 100 * f * f * f;
  const double sides = real((others == AlsSolver::cholesky ? 1 : 2) * interactions.rows + interactions.cols);
  turned += eigen + sides * f * (f * 1.2 + kTransposeCost);
  // Without alpha0 the Gram matrix counts nothing, and any basis will do. In another basis than that of the Gram matrix
  // conjugate gradient comes ten times less close in as many steps, so automatic does not take it there.
  way.rotated = params.alpha0 == 0 || turned < given || (is_automatic && others == AlsSolver::cg);
  way.cost = way.rotated ? turned : given;
  if (!way.rotated) way.dual_limit = 0;
  return way;
}

/// Automatic takes conjugate gradient or the exact solver, whichever is cheaper for all rows together. With three steps
/// the objective was 0.2 % above that of exact ones after the first epoch and within 0.03 % of it, mostly below, from
/// the second on, in 0.37 of the time (30,000 x 10,000, 1.5 M entries, 128 factors, loss original, nu 0); subspaces of
/// 64 were behind both, and no faster than exact.
Way choose_way(const std::vector<std::int64_t>& rows_of, const CsrPattern& interactions, std::int64_t factors,
               const AlsParams& params) {
  if (params.solver != AlsSolver::automatic) return find_way(params.solver, rows_of, interactions, factors, params);
  const Way exact = find_way(AlsSolver::cholesky, rows_of, interactions, factors, params);
  if (params.alpha0 == 0) return exact;  // without a Gram matrix steps have nothing to go by
  const Way steps = find_way(AlsSolver::cg, rows_of, interactions, factors, params);
  return exact.cost <= steps.cost ? exact : steps;
}

/// Rows from `first` to `last` with at most `longest` entries go to `order`, the longest first, ties by row.
std::int32_t* order_by_length(const CsrPattern& interactions, std::int64_t first, std::int64_t last,
                              std::int64_t longest, std::int32_t* order) {
  // Counting sort: how many rows are longer than a length is the place of the first with it.
  const auto length = [&](std::int64_t r) { return std::ssize(interactions.row(r)); };
  std::vector<std::int64_t> places(static_cast<std::size_t>(kOrderedLength) + 1, 0);
  const auto place = [&](std::int64_t r) -> std::int64_t& {
    return places[static_cast<std::size_t>(std::min<std::int64_t>(length(r), kOrderedLength))];
  };
  for (std::int64_t r = first; r < last; ++r)
    if (length(r) <= longest) ++place(r);
  std::int64_t next = 0;
  for (auto count = places.rbegin(); count != places.rend(); ++count) {
    const std::int64_t here = *count;
    *count = next;
    next += here;
  }
  for (std::int64_t r = first; r < last; ++r)
    if (length(r) <= longest) order[place(r)++] = static_cast<std::int32_t>(r);
  return order + next;
}

}  // namespace

std::vector<std::int32_t> row_order(const CsrPattern& interactions, std::int64_t shared_above,
                                    std::int64_t block_entries) {
  std::vector<std::int32_t> order(static_cast<std::size_t>(interactions.rows));
  const auto length = [&](std::int64_t r) { return std::ssize(interactions.row(r)); };
  std::int32_t* end = order.data();
  for (std::int64_t r = 0; r < interactions.rows; ++r)
    if (length(r) > shared_above) *end++ = static_cast<std::int32_t>(r);
  std::stable_sort(order.data(), end, [&](std::int32_t a, std::int32_t b) { return length(a) > length(b); });
  std::int64_t first = 0;
  for (std::int64_t r = 0; r < interactions.rows; ++r) {
    const std::int64_t entries =
        interactions.indptr[static_cast<std::size_t>(r) + 1] - interactions.indptr[static_cast<std::size_t>(first)];
    if (entries < block_entries && r + 1 < interactions.rows) continue;
    end = order_by_length(interactions, first, r + 1, shared_above, end);
    first = r + 1;
  }
  return order;
}

AlsPlan plan_half_epoch(const CsrPattern& interactions, std::int64_t factors, const AlsParams& params) {
  AlsPlan plan;
  const Way way = choose_way(count_lengths(interactions), interactions, factors, params);
  plan.others = way.others;
  plan.rotated = way.rotated;
  plan.dual_limit = way.dual_limit;
  if (plan.others == AlsSolver::cholesky) plan.shared_above = kSharedRow;
  plan.order = row_order(interactions, plan.shared_above, kBlockEntries);
  return plan;
}

double primal_flops(std::int64_t entries, std::int64_t factors) noexcept {
  const double f = real(factors);
  return std::floor(real(entries) * f * (f + 3) + f * f * f / 3 + 2 * f * f);
}

double dual_flops(std::int64_t entries, std::int64_t factors) noexcept {
  const double n = real(entries);
  return std::floor(n * (n + 1) * real(factors) + 4 * n * real(factors) + n * n * n / 3 + 2 * n * n);
}

double subspace_flops(std::int64_t entries, std::int64_t factors, std::int64_t block) noexcept {
  const double f = real(factors);
  const double b = real(std::min(block, factors));
  return std::floor(real(entries) * f * (b + 9) + f / b * (b * b * b / 3 + 2 * b * b));
}

double cg_flops(std::int64_t entries, std::int64_t factors, int steps) noexcept {
  return std::floor((real(entries) * 2 * (2.0 * steps + 1) + 10.0 * (steps + 1)) * real(factors));
}

}  // namespace recocore
