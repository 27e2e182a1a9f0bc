#include "recocore/als.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <stdexcept>
#include <vector>

#include "base/aligned.hpp"
#include "recocore/error.hpp"

using recocore::AlsInteractions;
using recocore::AlsParams;
using recocore::AlsSolver;
using recocore::CsrMatrix;

namespace {

constexpr std::int64_t kRows = 23;
constexpr std::int64_t kCols = 31;

/// Systems small enough in condition that inexact solvers reach the exact solution in a test's time.
AlsParams well_conditioned() {
  AlsParams params;
  params.regularization = 0.1F;
  params.alpha0 = 0.1F;
  return params;
}

CsrMatrix interactions() {
  std::mt19937 generator(11);
  std::uniform_real_distribution<float> weight(0.2F, 3);
  std::bernoulli_distribution seen(0.3);
  std::vector<std::int32_t> rows;
  std::vector<std::int32_t> cols;
  std::vector<float> values;
  for (std::int32_t r = 0; r < kRows; ++r)
    for (std::int32_t c = 0; c < kCols; ++c)
      if (r != 4 && seen(generator)) {  // row 4 stays empty
        rows.push_back(r);
        cols.push_back(c);
        values.push_back(weight(generator));
      }
  return recocore::csr_from_coo(rows, cols, values, kRows, kCols);
}

std::vector<float> normal_factors(std::int64_t rows, std::int64_t f, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0, 0.3F);
  std::vector<float> values(static_cast<std::size_t>(rows * f));
  for (float& v : values) v = normal(generator);
  return values;
}

/// The gradient of the objective at x for one row, in float64 and straight from its definition.
std::vector<double> gradient(const CsrMatrix& m, std::int64_t row, const std::vector<float>& fixed,
                             const std::vector<float>& solved, std::int64_t f, const AlsParams& params,
                             const std::vector<float>& weights = {}) {
  const auto x = [&](std::int64_t d) { return double(solved[static_cast<std::size_t>(row * f + d)]); };
  const auto y = [&](std::int64_t c, std::int64_t d) { return double(fixed[static_cast<std::size_t>(c * f + d)]); };
  const auto columns = m.view().row(row);
  const auto values = m.view().row_values(row);
  const auto first = static_cast<std::size_t>(m.view().indptr[static_cast<std::size_t>(row)]);
  std::vector<double> g(static_cast<std::size_t>(f), 0.0);
  const auto predict = [&](std::int64_t c) {
    double p = 0;
    for (std::int64_t d = 0; d < f; ++d) p += x(d) * y(c, d);
    return p;
  };
  for (std::int64_t c = 0; c < kCols; ++c)
    for (std::int64_t d = 0; d < f; ++d) g[static_cast<std::size_t>(d)] += double(params.alpha0) * predict(c) * y(c, d);
  for (std::size_t e = 0; e < columns.size(); ++e) {
    const double weight = (weights.empty() ? 1.0 : double(weights[first + e])) * double(std::abs(values[e]));
    const double wanted = values[e] < 0 ? double(params.negative_preference) : 1.0;
    for (std::int64_t d = 0; d < f; ++d)
      g[static_cast<std::size_t>(d)] += weight * (predict(columns[e]) - wanted) * y(columns[e], d);
  }
  const double lambda = double(params.regularization) *
                        std::pow(double(columns.size()) + double(params.alpha0) * double(kCols), double(params.nu));
  for (std::int64_t d = 0; d < f; ++d) g[static_cast<std::size_t>(d)] += lambda * x(d);
  return g;
}

double largest(const std::vector<double>& values) {
  double most = 0;
  for (const double v : values) most = std::max(most, std::abs(v));
  return most;
}

}  // namespace

TEST_CASE("the exact solver ends where the gradient vanishes; the others come closer") {
  const CsrMatrix m = interactions();
  for (const std::int64_t f : {1, 2, 16, 17, 40}) {
    const auto fixed = normal_factors(kCols, f, 1);
    const auto start = normal_factors(kRows, f, 2);
    for (const AlsSolver solver : {AlsSolver::cholesky, AlsSolver::cg, AlsSolver::subspace, AlsSolver::automatic}) {
      AlsParams params = well_conditioned();
      params.solver = solver;
      params.block_size = 8;
      auto solved = start;
      als_half_epoch(AlsInteractions(m.view()), {fixed.data(), kCols, f}, {solved.data(), kRows, f}, params, {2});
      for (std::int64_t r = 0; r < kRows; ++r) {
        const double before = largest(gradient(m, r, fixed, start, f, params));
        const double after = largest(gradient(m, r, fixed, solved, f, params));
        if (solver == AlsSolver::cholesky || solver == AlsSolver::automatic || r == 4) {
          CHECK(after < 1e-4);
        } else {
          CHECK(after < before);
        }
      }
    }
  }
}

TEST_CASE("weights of entries and the preference of dislikes are in the gradient that vanishes") {
  CsrMatrix m = interactions();
  for (std::size_t e = 0; e < m.values.size(); e += 3) m.values[e] = -m.values[e];
  std::vector<float> weights(m.values.size());
  for (std::size_t e = 0; e < weights.size(); ++e) weights[e] = static_cast<float>(e % 5) / 2;
  for (const std::int64_t f : {2, 17, 40}) {
    const auto fixed = normal_factors(kCols, f, 1);
    for (const float preference : {0.0F, -1.0F}) {
      AlsParams params = well_conditioned();
      params.solver = AlsSolver::cholesky;
      params.negative_preference = preference;
      auto solved = normal_factors(kRows, f, 2);
      als_half_epoch(AlsInteractions(m.view(), weights), {fixed.data(), kCols, f}, {solved.data(), kRows, f}, params,
                     {2});
      for (std::int64_t r = 0; r < kRows; ++r) CHECK(largest(gradient(m, r, fixed, solved, f, params, weights)) < 1e-4);
    }
  }
}

TEST_CASE("many steps of the inexact solvers reach the exact solution") {
  const CsrMatrix m = interactions();
  const std::int64_t f = 12;
  const auto fixed = normal_factors(kCols, f, 3);
  AlsParams params = well_conditioned();
  params.solver = AlsSolver::cholesky;
  auto exact = normal_factors(kRows, f, 4);
  als_half_epoch(AlsInteractions(m.view()), {fixed.data(), kCols, f}, {exact.data(), kRows, f}, params, {1});
  for (const AlsSolver solver : {AlsSolver::cg, AlsSolver::subspace}) {
    params.solver = solver;
    params.cg_steps = 5;
    params.block_size = 5;
    auto solved = normal_factors(kRows, f, 4);
    for (int repeat = 0; repeat < 60; ++repeat)
      als_half_epoch(AlsInteractions(m.view()), {fixed.data(), kCols, f}, {solved.data(), kRows, f}, params, {1});
    for (std::size_t i = 0; i < exact.size(); ++i) CHECK(std::abs(solved[i] - exact[i]) < 2e-3);
  }
}

TEST_CASE("the same bytes at every thread count, and an objective that never rises") {
  const CsrMatrix m = interactions();
  const CsrMatrix by_column = transpose(m.view());
  const std::int64_t f = 9;
  for (const AlsSolver solver : {AlsSolver::cholesky, AlsSolver::cg, AlsSolver::subspace}) {
    AlsParams params = well_conditioned();
    params.solver = solver;
    std::vector<float> first_rows;
    for (const int threads : {1, 2, 7}) {
      auto rows = normal_factors(kRows, f, 5);
      auto cols = normal_factors(kCols, f, 6);
      double loss = INFINITY;
      for (int epoch = 0; epoch < 5; ++epoch) {
        als_half_epoch(AlsInteractions(m.view()), {cols.data(), kCols, f}, {rows.data(), kRows, f}, params, {threads});
        als_half_epoch(AlsInteractions(by_column.view()), {rows.data(), kRows, f}, {cols.data(), kCols, f}, params,
                       {threads});
        const double now = als_objective(AlsInteractions(m.view()), {rows.data(), kRows, f}, {cols.data(), kCols, f},
                                         params, {threads});
        CHECK(now <= loss * (1 + 1e-6));
        loss = now;
      }
      if (first_rows.empty()) first_rows = rows;
      CHECK(rows == first_rows);
    }
  }
}

TEST_CASE("fixed factors that may be turned are turned in their place, and back unless they are spent") {
  constexpr std::int64_t kFactors = 48;
  // Many rows, for which the basis is worth finding.
  CsrMatrix m;
  m.cols = kCols;
  for (m.rows = 0; m.rows < 3000; ++m.rows) {
    for (std::int32_t c = static_cast<std::int32_t>(m.rows % 7); c < kCols; c += 5) m.indices.push_back(c);
    m.indptr.push_back(std::ssize(m.indices));
  }
  m.values.assign(m.indices.size(), 1.0F);
  const AlsInteractions checked(m.view());
  const auto fixed = normal_factors(kCols, kFactors, 1);
  AlsParams params = well_conditioned();
  params.solver = AlsSolver::cholesky;
  std::vector<float> kept(static_cast<std::size_t>(m.rows * kFactors));
  als_half_epoch(checked, {fixed.data(), kCols, kFactors}, {kept.data(), m.rows, kFactors}, params, {2});
  recocore::AlignedFloats room(kCols * kFactors);
  for (const bool is_spent : {false, true}) {
    std::copy(fixed.begin(), fixed.end(), room.data());
    recocore::AlsGiven given;
    given.turned = {room.data(), kCols, kFactors};
    given.is_spent = is_spent;
    std::vector<float> solved(kept.size());
    als_half_epoch(checked, {room.data(), kCols, kFactors}, {solved.data(), m.rows, kFactors}, params, {2}, given);
    CHECK(solved == kept);
    float away = 0;
    for (std::size_t i = 0; i < fixed.size(); ++i) away = std::max(away, std::abs(room.data()[i] - fixed[i]));
    CHECK((is_spent ? away > 0.1F : away < 1e-6F));
  }
  recocore::AlsGiven others;
  others.turned = {room.data(), kCols, kFactors};
  CHECK_THROWS_WITH_AS(
      als_half_epoch(checked, {fixed.data(), kCols, kFactors}, {kept.data(), m.rows, kFactors}, params, {2}, others),
      doctest::Contains("turned: expected the fixed factors themselves, got others"), recocore::Error);
}

TEST_CASE("singular systems, systems beyond float32 and infinite weights are refused") {
  const CsrMatrix m = interactions();
  const std::vector<float> fixed(static_cast<std::size_t>(kCols * 3), 0.5F);
  std::vector<float> solved(static_cast<std::size_t>(kRows * 3));
  AlsParams params = well_conditioned();
  params.regularization = 0;
  CHECK_THROWS_WITH_AS(
      als_half_epoch(AlsInteractions(m.view()), {fixed.data(), kCols, 3}, {solved.data(), kRows, 3}, params, {1}),
      doctest::Contains("is singular; raise regularization or alpha0, or use fewer factors"), recocore::Error);
  for (const AlsSolver solver : {AlsSolver::cholesky, AlsSolver::cg, AlsSolver::subspace}) {
    AlsParams huge;
    huge.solver = solver;
    huge.nu = 50;
    const auto varied = normal_factors(kCols, 3, 9);
    CHECK_THROWS_WITH_AS(
        als_half_epoch(AlsInteractions(m.view()), {varied.data(), kCols, 3}, {solved.data(), kRows, 3}, huge, {1}),
        doctest::Contains("is beyond float32; lower these or the weights"), recocore::Error);
  }
  AlsParams wrong = well_conditioned();
  wrong.negative_preference = 1;
  CHECK_THROWS_WITH_AS(
      als_half_epoch(AlsInteractions(m.view()), {fixed.data(), kCols, 3}, {solved.data(), kRows, 3}, wrong, {1}),
      doctest::Contains("negative_preference: expected -1 to 0, got 1"), recocore::Error);
  CsrMatrix infinite = m;
  infinite.values[0] = INFINITY;
  CHECK_THROWS_AS(AlsInteractions(infinite.view()), recocore::Error);
}

TEST_CASE("a monitor is asked between long rows, each of which is solved in no time") {
  struct Stop final : recocore::Monitor {
    void poll(double) override { throw std::runtime_error("stop"); }
  };
  constexpr std::int64_t kLongRows = 200;
  constexpr std::int64_t kEntries = 17'000;  // rows of more than 16,384 are worked on by all threads together
  constexpr std::int64_t kFactors = 128;
  CsrMatrix m;
  m.rows = kLongRows;
  m.cols = kEntries;
  for (std::int64_t r = 0; r < kLongRows; ++r) {
    for (std::int32_t c = 0; c < kEntries; ++c) m.indices.push_back(c);
    m.indptr.push_back(std::ssize(m.indices));
  }
  m.values.assign(m.indices.size(), 1.0F);
  const AlsInteractions checked(m.view());
  const auto fixed = normal_factors(kEntries, kFactors, 1);
  std::vector<float> solved(static_cast<std::size_t>(kLongRows * kFactors));
  AlsParams params;
  params.alpha0 = 0;  // without the Gram matrix of all rows, the long rows are all that takes time
  params.solver = AlsSolver::cholesky;
  Stop stop;
  CHECK_THROWS_WITH((void)als_half_epoch(checked, {fixed.data(), kEntries, kFactors},
                                         {solved.data(), kLongRows, kFactors}, params, {1, &stop}),
                    "stop");
}
