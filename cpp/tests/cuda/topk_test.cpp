// Top-k: whole calls, host code included, on the execution layer and on the CPU; the same answers at sizes around those
// of warps and tiles, with few blocks a grid and little memory. The address sanitizer sees every access.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "cuda/made.hpp"
#include "cuda/settings.hpp"
#include "recocore/error.hpp"
#include "recocore/topk.hpp"

namespace recocore::cuda {
namespace {

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

}  // namespace

TEST_CASE("top-k equals the CPU's at every width, filter and precision") {
  const ScopedSettings restore;
  const std::int64_t m = 70;
  const std::vector<std::int32_t> block{5, 6, 69};
  const std::vector<std::int32_t> allowed{69, 3, 64, 65, 3, 10};
  // Which scans a filter meets; lists of each query are scored one way.
  const std::vector<std::vector<Precision>> precisions{{Precision::float32, Precision::float16, Precision::bfloat16},
                                                       {Precision::float32, Precision::float16},
                                                       {Precision::float32, Precision::bfloat16},
                                                       {Precision::float32}};
  for (const std::int64_t f : {1, 33}) {
    const std::int64_t n = f == 33 ? 67 : 17;  // two tiles, or part of one
    ++exec::settings().seed;
    exec::settings().most_blocks = f == 33 ? 3 : 2147483647;
    const CsrMatrix seen = scattered(n, m, 0.2, 4);
    const CsrMatrix wanted = scattered(n, m, 0.3, 5);
    const auto biases = integers(m, 3);
    const auto queries = integers(n * f, 1);
    const auto items = integers(m * f, 2);
    TopkProblem problem;
    problem.queries = {queries.data(), n, f};
    problem.items = {items.data(), m, f};
    problem.biases = biases;
    CandidateFilter filter;
    for (std::size_t form = 0; form < precisions.size(); ++form) {
      if (form == 1) filter.exclude.push_back({{n, m, seen.indptr, seen.indices}, {}});
      if (form == 1) filter.block = block;
      if (form == 2) filter.allow_shared = allowed;
      if (form == 3) filter.allow = RowsOf{{n, m, wanted.indptr, wanted.indices}, {}};
      const Ranking expected = ranked(problem, filter, 33, kCpu);
      for (const Precision precision : precisions[form]) {
        problem.precision = precision;
        exec::settings().tensor_cores = form != 1;
        CHECK(ranked(problem, filter, 33, kCuda) == expected);
      }
      problem.precision = Precision::automatic;
    }
  }
}

TEST_CASE("sixteen bits do not show, on tensor cores or without") {
  const ScopedSettings restore;
  const std::int64_t f = 40;
  auto queries = reals(5 * f, 1);
  auto items = reals(150 * f, 2);
  for (std::size_t d = 0; d < 40; ++d) {
    queries[d] *= 1e-9F;  // below what float16 holds
    items[d] *= 1e6F;     // above
    items[40 + d] *= 1e-30F;
  }
  TopkProblem problem;
  problem.queries = {queries.data(), 5, f};
  problem.items = {items.data(), 150, f};
  const Ranking best = ranked(problem, {}, 20, kCuda);
  // A bound from the start, at the twentieth score: what is above it by less than sixteen bits tell must come back.
  std::vector<float> thresholds;
  for (std::size_t q = 0; q < 5; ++q) thresholds.push_back(best.scores[q * 20 + 19]);
  problem.thresholds = thresholds;
  for (const bool tensor_cores : {false, true}) {
    exec::settings().tensor_cores = tensor_cores;
    for (const Precision precision : {Precision::float16, Precision::bfloat16}) {
      problem.precision = precision;
      CHECK(ranked(problem, {}, 20, kCuda) == best);
    }
  }
}

TEST_CASE("top-k equals the CPU's at any k, and beyond one selection") {
  const auto queries = integers(2 * 4, 1);
  const auto items = integers(4200 * 4, 2);
  TopkProblem problem;
  problem.queries = {queries.data(), 2, 4};
  problem.items = {items.data(), 4200, 4};
  for (const std::int64_t k : {1, 31, 32, 33, 63, 64, 65, 1024, 5000})
    CHECK(ranked(problem, {}, k, kCuda) == ranked(problem, {}, k, kCpu));
}

TEST_CASE("items that do not fit are scanned in parts") {
  const ScopedSettings restore;
  const std::int64_t f = 64;
  const auto queries = integers(5 * f, 1);
  const auto items = integers(2000 * f, 2);
  TopkProblem problem;
  problem.queries = {queries.data(), 5, f};
  problem.items = {items.data(), 2000, f};
  const Ranking expected = ranked(problem, {}, 40, kCpu);
  exec::settings().memory = 400'000;  // the items alone take 512,000
  CHECK(ranked(problem, {}, 40, kCuda) == expected);
  exec::settings().memory = 20'000;
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

}  // namespace recocore::cuda
