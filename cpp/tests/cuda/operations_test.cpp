// Whole operations, host code included, on the execution layer and on the CPU: the same answers, at sizes around those
// of warps and tiles, with few blocks a grid and little memory. The address sanitizer sees every access.
#include <doctest/doctest.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "cuda/settings.hpp"
#include "recocore/als.hpp"
#include "recocore/error.hpp"
#include "recocore/matmul_topk.hpp"
#include "recocore/similarity.hpp"
#include "recocore/spmm.hpp"
#include "recocore/topk.hpp"

namespace recocore {
namespace {

const Execution kCpu{1};
const Execution kCuda{1, nullptr, Device::cuda};

std::vector<float> integers(std::int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& v : values) v = static_cast<float>(static_cast<int>(random() % 7) - 3);
  return values;
}

std::vector<float> reals(std::int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 0.3F);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& v : values) v = normal(random);
  return values;
}

/// A matrix with an empty row, and row 1 full where `has_head`.
CsrMatrix scattered(std::int64_t rows, std::int64_t cols, double density, unsigned seed, bool has_head = false) {
  std::mt19937 random(seed);
  CsrMatrix matrix{rows, cols, {0}, {}, {}};
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < cols; ++c) {
      const bool is_there = r != 0 && ((has_head && r == 1) || static_cast<double>(random() % 10'000) < 1e4 * density);
      if (!is_there) continue;
      matrix.indices.push_back(static_cast<std::int32_t>(c));
      matrix.values.push_back(0.25F * static_cast<float>(1 + random() % 11));
    }
    matrix.indptr.push_back(std::ssize(matrix.indices));
  }
  return matrix;
}

struct Ranking {
  std::vector<std::int32_t> ids;
  std::vector<float> scores;
  bool operator==(const Ranking&) const = default;
};

Ranking ranked(const TopkProblem& problem, const CandidateFilter& filter, std::int64_t k, const Execution& execution) {
  const auto size = static_cast<std::size_t>(problem.queries.rows * k);
  Ranking found{std::vector<std::int32_t>(size), std::vector<float>(size)};
  topk(problem, filter, {found.ids.data(), problem.queries.rows, k}, {found.scores.data(), problem.queries.rows, k},
       execution);
  return found;
}

double difference(const std::vector<float>& a, const std::vector<float>& b) {
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    most = std::max(most, std::fabs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  return a.size() == b.size() ? most : INFINITY;
}

}  // namespace

TEST_CASE("top-k equals the CPU's at every width, filter and precision") {
  const cuda::ScopedSettings restore;
  const std::int64_t n = 67;
  const std::int64_t m = 193;
  const std::vector<std::int32_t> block{5, 6, 190};
  const std::vector<std::int32_t> allowed{190, 3, 64, 65, 3, 100};
  const CsrMatrix seen = scattered(n, m, 0.2, 4);
  const CsrMatrix wanted = scattered(n, m, 0.3, 5);
  const auto biases = integers(m, 3);
  for (const std::int64_t f : {1, 33, 65}) {
    ++cuda::exec::settings().seed;
    cuda::exec::settings().most_blocks = f == 33 ? 3 : 2147483647;
    const auto queries = integers(n * f, 1);
    const auto items = integers(m * f, 2);
    TopkProblem problem;
    problem.queries = {queries.data(), n, f};
    problem.items = {items.data(), m, f};
    problem.biases = biases;
    CandidateFilter filter;
    for (int form = 0; form < 4; ++form) {
      if (form == 1) filter.exclude.push_back({{n, m, seen.indptr, seen.indices}, {}});
      if (form == 1) filter.block = block;
      if (form == 2) filter.allow_shared = allowed;
      if (form == 3) filter.allow = RowsOf{{n, m, wanted.indptr, wanted.indices}, {}};
      const Ranking expected = ranked(problem, filter, 33, kCpu);
      for (const Precision precision : {Precision::float32, Precision::float16, Precision::bfloat16}) {
        problem.precision = precision;
        CHECK(ranked(problem, filter, 33, kCuda) == expected);
      }
      problem.precision = Precision::automatic;
    }
  }
}

TEST_CASE("top-k equals the CPU's at any k, and beyond one selection") {
  const auto queries = integers(5 * 4, 1);
  const auto items = integers(4200 * 4, 2);
  TopkProblem problem;
  problem.queries = {queries.data(), 5, 4};
  problem.items = {items.data(), 4200, 4};
  for (const std::int64_t k : {1, 31, 32, 33, 63, 64, 65, 1024, 5000})
    CHECK(ranked(problem, {}, k, kCuda) == ranked(problem, {}, k, kCpu));
}

TEST_CASE("items that do not fit are scanned in parts") {
  const cuda::ScopedSettings restore;
  const std::int64_t f = 64;
  const auto queries = integers(5 * f, 1);
  const auto items = integers(2000 * f, 2);
  TopkProblem problem;
  problem.queries = {queries.data(), 5, f};
  problem.items = {items.data(), 2000, f};
  const Ranking expected = ranked(problem, {}, 40, kCpu);
  cuda::exec::settings().memory = 400'000;  // the items alone take 512,000
  CHECK(ranked(problem, {}, 40, kCuda) == expected);
  cuda::exec::settings().memory = 20'000;
  CHECK_THROWS_WITH_AS(ranked(problem, {}, 40, kCuda), doctest::Contains("of the device's memory at once"), Error);
}

TEST_CASE("nothing to rank, and nothing to rank it by") {
  const std::vector<float> some(8, 1.0F);
  TopkProblem problem;
  problem.queries = {some.data(), 2, 4};
  problem.items = {nullptr, 0, 4};
  CHECK(ranked(problem, {}, 3, kCuda) == ranked(problem, {}, 3, kCpu));
  problem.queries = {some.data(), 2, 0};
  problem.items = {some.data(), 3, 0};
  CHECK(ranked(problem, {}, 3, kCuda) == ranked(problem, {}, 3, kCpu));
  problem.queries = {some.data(), 0, 4};
  problem.items = {some.data(), 2, 4};
  CHECK(ranked(problem, {}, 3, kCuda).ids.empty());
}

TEST_CASE("ALS solves each row as the CPU does, at every width and length") {
  const cuda::ScopedSettings restore;
  cuda::exec::settings().most_blocks = 7;
  for (const std::int64_t f : {1, 31, 65}) {
    for (const std::int64_t rows : {12, 300}) {  // few stay in the given basis, many are worth turning
      if ((rows == 300) != (f == 31)) continue;
      const CsrMatrix data = scattered(rows, 90, rows == 12 ? 0.5 : 0.1, 7, true);
      const AlsInteractions interactions(data.view());
      const auto fixed = reals(90 * f, 8);
      for (const AlsLoss loss : {AlsLoss::ials, AlsLoss::original}) {
        for (const AlsSolver solver : {AlsSolver::cholesky, AlsSolver::cg, AlsSolver::subspace}) {
          if (rows == 300 && (loss != AlsLoss::ials || solver != AlsSolver::cholesky)) continue;
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
  const CsrMatrix data = scattered(3, 9000, 0.01, 7, true);
  const AlsInteractions interactions(data.view());
  const auto fixed = reals(9000 * 33, 8);
  std::vector<float> expected(3 * 33);
  auto found = expected;
  als_half_epoch(interactions, {fixed.data(), 9000, 33}, {expected.data(), 3, 33}, {}, kCpu);
  als_half_epoch(interactions, {fixed.data(), 9000, 33}, {found.data(), 3, 33}, {}, kCuda);
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

TEST_CASE("similarity has the CPU's bytes where no logarithm is taken") {
  const cuda::ScopedSettings restore;
  for (const std::uint64_t seed : {1, 2}) {
    cuda::exec::settings().seed = seed;
    cuda::exec::settings().most_blocks = seed == 2 ? 2 : 2147483647;
    for (const std::int64_t rows : {31, 300}) {
      if ((rows == 300) != (seed == 2)) continue;
      const CsrMatrix data = scattered(rows, 64, rows == 300 ? 0.05 : 0.15, 7, rows == 31);
      for (int kind = 0; kind < static_cast<int>(similarity_kind_names().size()); ++kind) {
        SimilarityParams params;
        params.kind = static_cast<SimilarityKind>(kind);
        params.k = kind % 2 == 0 ? std::optional<std::int64_t>(5) : std::nullopt;
        params.shrinkage = kind % 3 == 0 ? 1.5 : 0.0;
        params.include_self = kind % 4 == 0;
        const CsrMatrix expected = similarity(data.view(), params, kCpu);
        const CsrMatrix found = similarity(data.view(), params, kCuda);
        CHECK(found.indptr == expected.indptr);
        if (params.kind != SimilarityKind::log_likelihood_ratio) CHECK(found.indices == expected.indices);
        if (params.kind != SimilarityKind::log_likelihood_ratio) CHECK(found.values == expected.values);
      }
    }
  }
}

TEST_CASE("a row that meets more partners than a table holds is summed up in an array") {
  const CsrMatrix data = scattered(2200, 40, 0.05, 7, true);
  const std::vector<std::int32_t> rows{1, 0, 5};
  for (const SimilarityKind kind : {SimilarityKind::cosine, SimilarityKind::jaccard, SimilarityKind::pearson}) {
    SimilarityParams params;
    params.kind = kind;
    params.k = 1100;
    const CsrMatrix expected = similarity(data.view(), params, kCpu, rows);
    const CsrMatrix found = similarity(data.view(), params, kCuda, rows);
    CHECK(found.indptr == expected.indptr);
    CHECK(found.indices == expected.indices);
    CHECK(found.values == expected.values);
  }
}

TEST_CASE("products of sparse matrices have the CPU's bytes") {
  const CsrMatrix a = scattered(70, 50, 0.2, 1, true);
  const CsrMatrix b = scattered(50, 90, 0.1, 2);
  for (const std::optional<std::int64_t>& k : {std::optional<std::int64_t>(3), std::optional<std::int64_t>()}) {
    const CsrMatrix expected = matmul_topk(a.view(), b.view(), {k, 0.5F}, kCpu);
    const CsrMatrix found = matmul_topk(a.view(), b.view(), {k, 0.5F}, kCuda);
    CHECK(found.indptr == expected.indptr);
    CHECK(found.indices == expected.indices);
    CHECK(found.values == expected.values);
  }
  const auto dense = reals(50 * 33, 3);
  std::vector<float> expected(70 * 33);
  auto found = expected;
  spmm(a.view(), {dense.data(), 50, 33}, {expected.data(), 70, 33}, kCpu);
  spmm(a.view(), {dense.data(), 50, 33}, {found.data(), 70, 33}, kCuda);
  CHECK(found == expected);
}

TEST_CASE("a Gram matrix is the CPU's") {
  for (const std::int64_t f : {1, 63, 65}) {
    const auto factors = reals(3000 * f, 4);
    std::vector<float> expected(static_cast<std::size_t>(f * f));
    auto found = expected;
    gram({factors.data(), 3000, f}, {expected.data(), f, f}, kCpu);
    gram({factors.data(), 3000, f}, {found.data(), f, f}, kCuda);
    CHECK(difference(found, expected) < 1e-3);
  }
}

}  // namespace recocore
