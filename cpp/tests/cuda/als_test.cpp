// ALS: whole calls, host code included, on the execution layer and on the CPU; the same answers at sizes around those
// of warps and tiles, with few blocks a grid and little memory. The address sanitizer sees every access.
#include <doctest/doctest.h>

#include <vector>

#include "cuda/made.hpp"
#include "cuda/settings.hpp"
#include "recocore/als.hpp"
#include "recocore/error.hpp"

namespace recocore::cuda {

TEST_CASE("ALS solves each row as the CPU does, at every width and length") {
  const ScopedSettings restore;
  exec::settings().most_blocks = 7;
  for (const std::int64_t f : {1, 31, 65}) {
    for (const std::int64_t rows : {8, 260}) {  // few stay in the given basis, many are worth turning
      if ((rows == 260) != (f == 31)) continue;
      const CsrMatrix data = scattered(rows, 90, rows == 8 ? 0.5 : 0.1, 7, true);
      const AlsInteractions interactions(data.view());
      const auto fixed = reals(90 * f, 8);
      for (const AlsLoss loss : {AlsLoss::ials, AlsLoss::original}) {
        for (const AlsSolver solver : {AlsSolver::cholesky, AlsSolver::cg, AlsSolver::subspace}) {
          // Losses differ in what rows pull to, which is the same code for every solver.
          if (loss != AlsLoss::ials && solver != AlsSolver::cholesky) continue;
          if (rows == 260 && (loss != AlsLoss::ials || solver != AlsSolver::cholesky)) continue;
          AlsParams params{0.02F, 0.1F, 1.0F, loss, solver};
          params.cg_steps = static_cast<int>(f) + 20;
          if (solver == AlsSolver::subspace) params.block_size = static_cast<int>(f);
          auto expected = reals(rows * f, 9);
          auto found = expected;
          AlsParams exact = params;
          exact.solver = AlsSolver::cholesky;
          als_half_epoch(interactions, {fixed.data(), 90, f}, {expected.data(), rows, f}, exact, kCpu);
          const AlsReport report =
              als_half_epoch(interactions, {fixed.data(), 90, f}, {found.data(), rows, f}, params, kCuda);
          CHECK(difference(found, expected) < 2e-4);
          CHECK(report.empty + report.primal + report.dual + report.cg + report.subspace == rows);
          const double value =
              als_objective(interactions, {found.data(), rows, f}, {fixed.data(), 90, f}, params, kCpu);
          const double here =
              als_objective(interactions, {found.data(), rows, f}, {fixed.data(), 90, f}, params, kCuda);
          CHECK(here == doctest::Approx(value).epsilon(1e-6));
        }
      }
    }
  }
}

TEST_CASE("a row with very many entries is summed up by many blocks") {
  const CsrMatrix data = scattered(3, 4200, 0.01, 7, true);
  const AlsInteractions interactions(data.view());
  const auto fixed = reals(4200 * 33, 8);
  std::vector<float> expected(3 * 33);
  auto found = expected;
  als_half_epoch(interactions, {fixed.data(), 4200, 33}, {expected.data(), 3, 33}, {}, kCpu);
  als_half_epoch(interactions, {fixed.data(), 4200, 33}, {found.data(), 3, 33}, {}, kCuda);
  CHECK(difference(found, expected) < 2e-5);
}

TEST_CASE("a singular system is refused as on the CPU") {
  CsrMatrix data{1, 1, {0, 1}, {0}, {1.0F}};
  const AlsInteractions interactions(data.view());
  const std::vector<float> fixed(2, 1.0F);
  std::vector<float> solved(2);
  for (const Execution& execution : {kCpu, kCuda})
    CHECK_THROWS_WITH_AS(als_half_epoch(interactions, {fixed.data(), 1, 2}, {solved.data(), 1, 2},
                                        {0.0F, 0.0F, 1.0F, AlsLoss::ials, AlsSolver::cholesky}, execution),
                         doctest::Contains("row 0"), Error);
}

TEST_CASE("a Gram matrix is the CPU's") {
  for (const std::int64_t f : {1, 63, 65}) {
    const std::int64_t rows = f == 1 ? 3000 : 300;  // several stretches, or several tiles
    const auto factors = reals(rows * f, 4);
    std::vector<float> expected(static_cast<std::size_t>(f * f));
    auto found = expected;
    gram({factors.data(), rows, f}, {expected.data(), f, f}, kCpu);
    gram({factors.data(), rows, f}, {found.data(), f, f}, kCuda);
    CHECK(difference(found, expected) < 1e-3);
  }
}

}  // namespace recocore::cuda
