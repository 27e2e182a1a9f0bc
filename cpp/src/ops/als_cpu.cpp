#include "ops/als_cpu.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "ops/als_basis.hpp"
#include "ops/als_plan.hpp"
#include "ops/als_refusal.hpp"
#include "ops/als_solvers.hpp"
#include "recocore/error.hpp"
#include "recocore/memory.hpp"

namespace recocore {
namespace {

// Rows handed to a thread at a time.
constexpr std::int64_t kRowGrain = 4;

std::size_t at(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

/// Tells the monitor of one phase of several: a part [from, from + size) of the whole.
class Phase final : public Monitor {
 public:
  Phase(const Execution& whole, double from, double size) : whole_(whole.monitor), from_(from), size_(size) {}

  void poll(double fraction_done) override {
    if (whole_ != nullptr) whole_->poll(from_ + size_ * fraction_done);
  }

 private:
  Monitor* whole_;
  double from_;
  double size_;
};

void check_memory(const CsrView& interactions, std::int64_t factors, std::int64_t features, int threads,
                  bool in_place) {
  MemoryBudget budget("an ALS epoch with " + std::to_string(factors) + " factors");
  const std::string next_step = "use fewer factors or threads, or a larger machine";
  budget.take(als_half_epoch_bytes(interactions.rows, interactions.cols, factors, threads, in_place), next_step);
  budget.take(features, padded(factors) * std::int64_t{sizeof(float)}, next_step);
}

/// The prior's weights in the basis, rows padded(f) apart.
AlignedFloats feature_weights(const AlsPrior* prior, const AlsBasis& basis, const Execution& execution) {
  if (prior == nullptr) return {};
  const auto& given = prior->weights;
  AlignedFloats weights(std::max<std::int64_t>(1, given.rows) * basis.stride());
  MatrixView<float> turned(weights.data(), given.rows, given.cols);
  turned.stride = basis.stride();
  for (std::int64_t k = 0; k < given.rows; ++k) std::ranges::copy(given.row(k), turned.row(k).begin());
  basis.enter(turned, execution);
  return weights;
}

}  // namespace

std::int64_t als_half_epoch_bytes(std::int64_t rows, std::int64_t cols, std::int64_t factors, int num_threads,
                                  bool in_place) {
  constexpr std::int64_t kFloat = sizeof(float);
  const std::int64_t matrix = padded(factors) * row_distance(factors) * kFloat;
  const bool is_copied = !in_place || factors % kernels::kLane != 0;
  const std::int64_t fixed = is_copied ? cols * padded(factors) * kFloat : 0;
  // The Gram matrix's chunks are gone before a thread has its system and its factors of entries.
  const std::int64_t chunks = GramChunks(cols, factors).count * matrix;
  const std::int64_t tiles = entries_at_a_time(factors) * row_distance(factors) * kFloat;
  const std::int64_t each = resolve_threads(num_threads) * (matrix + std::max(matrix, tiles));
  // Where the basis is rotated there are two matrices and float64 ones.
  return fixed + rows * std::int64_t{sizeof(std::int32_t)} + std::max(chunks, each) + 8 * matrix;
}

void gram_cpu(MatrixView<const float> factors, MatrixView<float> out, const Execution& execution) {
  const AlsBasis basis(factors, {}, 1, false, execution);
  for (std::int64_t i = 0; i < out.rows; ++i)
    std::copy_n(basis.dense() + i * row_distance(out.rows), out.cols, out.row(i).data());
}

AlsReport als_half_epoch_cpu(const AlsInteractions& checked, MatrixView<const float> fixed, MatrixView<float> solved,
                             const AlsParams& params, const Execution& execution, const AlsGiven& given) {
  const CsrView& interactions = checked.view();
  const int threads = resolve_threads(execution.num_threads);
  check_memory(interactions, fixed.cols, given.prior == nullptr ? 0 : given.prior->weights.rows, threads,
               given.turned.data != nullptr && lies_ready(fixed));
  const AlsPlan plan = plan_half_epoch(interactions, fixed.cols, params);
  const bool needs_start = plan.others != AlsSolver::cholesky;
  Phase preparing(execution, 0, 0.1);
  const Execution prepare{execution.num_threads, &preparing};
  const AlsBasis basis(fixed, given, params.alpha0, plan.rotated, prepare);
  const AlignedFloats prior_weights = feature_weights(given.prior, basis, prepare);
  const RightSides right_sides{given.offsets, prior_weights.data()};
  if (needs_start) basis.enter(solved, prepare);

  std::vector<std::unique_ptr<RowSolver>> solvers(at(threads));
  const auto solve = [&](std::int64_t r, int worker, const Execution* shared) {
    auto& mine = solvers[at(worker)];
    if (!mine) mine = std::make_unique<RowSolver>(basis, plan, params, right_sides);
    const auto columns = interactions.row(r);
    const double lambda = row_lambda(params, std::ssize(columns), fixed.rows);
    Row row{columns, interactions.row_values(r), lambda, solved.row(r), {}, {}, {}};
    if (!checked.weights().empty())
      row.weights = checked.weights().subspan(at(interactions.indptr[at(r)]), columns.size());
    if (given.prior != nullptr) {
      row.features = given.prior->features.row(r);
      row.feature_values = given.prior->features.row_values(r);
    }
    Solved result = Solved::overflow;
    if (lambda <= double{std::numeric_limits<float>::max()})
      result = shared != nullptr ? mine->solve_shared(row, *shared) : mine->solve(row);
    require(result == Solved::yes, [&] { return als_refusal(result, r, params); });
  };

  // The longest rows first, by all threads together, in one job: that of a row may be over before a monitor is asked.
  // Then each row by one thread.
  std::int64_t done = 0;
  parallel_for(prepare, 1, 1, [&](std::int64_t, std::int64_t, int) {
    for (; done < interactions.rows; ++done) {
      checkpoint();
      const std::int32_t r = plan.order[at(done)];
      if (std::ssize(interactions.row(r)) <= plan.shared_above) break;
      solve(r, 0, &prepare);
    }
  });
  Phase rows(execution, 0.1, 0.85);
  parallel_for({execution.num_threads, &rows}, interactions.rows - done, kRowGrain,
               [&](std::int64_t begin, std::int64_t end, int worker) {
                 for (std::int64_t i = begin; i < end; ++i) solve(plan.order[at(done + i)], worker, nullptr);
               });
  Phase finishing(execution, 0.95, 0.05);
  const Execution finish{execution.num_threads, &finishing};
  basis.leave(solved, finish);
  basis.restore_fixed(finish);

  AlsReport report;
  for (const auto& mine : solvers) {
    if (!mine) continue;
    const AlsReport& part = mine->report();
    report.empty += part.empty;
    report.primal += part.primal;
    report.dual += part.dual;
    report.cg += part.cg;
    report.subspace += part.subspace;
    report.flops += part.flops;
  }
  const double f = static_cast<double>(fixed.cols);
  const double turned = static_cast<double>(fixed.rows + (needs_start ? 2 : 1) * solved.rows);
  report.flops += static_cast<double>(fixed.rows) * f * (f + 1) + (basis.turned() ? turned * 2 * f * f : 0);
  return report;
}

}  // namespace recocore
