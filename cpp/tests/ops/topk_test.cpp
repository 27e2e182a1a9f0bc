#include "recocore/topk.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <utility>
#include <vector>

#include "recocore/error.hpp"

using recocore::CandidateFilter;
using recocore::MatrixView;

namespace {

std::vector<float> random_matrix(std::size_t size, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_int_distribution<int> value(-3, 3);  // small integers: products are exact and ties are many
  std::vector<float> values(size);
  for (float& v : values) v = static_cast<float>(value(generator));
  return values;
}

struct Ranking {
  std::vector<std::int32_t> ids;
  std::vector<float> scores;
};

/// The best k of each query, of a ranking that is `width` wide.
Ranking head_of(const Ranking& ranking, std::int64_t width, std::int64_t k) {
  Ranking head;
  for (auto begin = std::int64_t{0}; begin < std::ssize(ranking.ids); begin += width) {
    head.ids.insert(head.ids.end(), ranking.ids.begin() + begin, ranking.ids.begin() + begin + k);
    head.scores.insert(head.scores.end(), ranking.scores.begin() + begin, ranking.scores.begin() + begin + k);
  }
  return head;
}

Ranking ranked(const std::vector<float>& queries, const std::vector<float>& items, std::int64_t f, std::int64_t k,
               const CandidateFilter& filter, int threads) {
  const std::int64_t n = std::ssize(queries) / f;
  Ranking result{std::vector<std::int32_t>(static_cast<std::size_t>(n * k)),
                 std::vector<float>(static_cast<std::size_t>(n * k))};
  recocore::TopkProblem problem;
  problem.queries = {queries.data(), n, f};
  problem.items = {items.data(), std::ssize(items) / f, f};
  recocore::topk(problem, filter, {result.ids.data(), n, k}, {result.scores.data(), n, k}, {threads});
  return result;
}

}  // namespace

TEST_CASE("topk equals a full sort with ties by id, at any k and thread count") {
  const std::int64_t f = 5;
  const auto queries = random_matrix(17 * 5, 1);
  const auto items = random_matrix(300 * 5, 2);
  for (const std::int64_t k : {0, 1, 10, 300, 305}) {
    const Ranking one = ranked(queries, items, f, k, {}, 1);
    for (const int threads : {2, 7}) {
      const Ranking many = ranked(queries, items, f, k, {}, threads);
      CHECK(many.ids == one.ids);
      CHECK(many.scores == one.scores);
    }
    for (std::int64_t q = 0; q < 17; ++q) {
      std::vector<std::pair<float, std::int32_t>> expected;
      for (std::int32_t i = 0; i < 300; ++i) {
        float dot = 0;
        for (std::int64_t d = 0; d < f; ++d)
          dot += queries[static_cast<std::size_t>(q * f + d)] * items[static_cast<std::size_t>(i * f + d)];
        expected.emplace_back(-dot, i);
      }
      std::sort(expected.begin(), expected.end());
      for (std::int64_t j = 0; j < k; ++j) {
        const auto at = static_cast<std::size_t>(q * k + j);
        if (j < 300) {
          CHECK(one.ids[at] == expected[static_cast<std::size_t>(j)].second);
          CHECK(one.scores[at] == -expected[static_cast<std::size_t>(j)].first);
        } else {
          CHECK(one.ids[at] == -1);
          CHECK(one.scores[at] == -std::numeric_limits<float>::infinity());
        }
      }
    }
  }
}

TEST_CASE("blocked and excluded items never come back, whatever k is") {
  const auto queries = random_matrix(10, 3);
  const auto items = random_matrix(20 * 1, 4);
  const std::vector<std::int32_t> block{0, 3, 19};
  std::vector<std::int64_t> indptr{0};
  std::vector<std::int32_t> indices;
  for (std::int32_t q = 0; q < 10; ++q) {
    indices.push_back(q);
    indices.push_back(q + 5);
    indptr.push_back(std::ssize(indices));
  }
  CandidateFilter filter;
  filter.block = block;
  filter.exclude.push_back({{10, 20, indptr, indices}, {}});
  const Ranking result = ranked(queries, items, 1, 25, filter, 2);
  for (std::int32_t q = 0; q < 10; ++q) {
    int returned = 0;
    for (std::size_t j = 0; j < 25; ++j) {
      const std::int32_t id = result.ids[static_cast<std::size_t>(q) * 25 + j];
      returned += id >= 0 ? 1 : 0;
      CHECK(std::find(block.begin(), block.end(), id) == block.end());
      CHECK(id != q);
      CHECK(id != q + 5);
    }
    int left_out = 5;
    for (const std::int32_t id : block) left_out -= id == q || id == q + 5 ? 1 : 0;
    CHECK(returned == 20 - left_out);
  }
}

TEST_CASE("an overflow to NaN is not returned, and a NaN in the input is named") {
  const float huge = std::numeric_limits<float>::max();
  const Ranking result = ranked({huge, huge}, {huge, -huge, 1, 0}, 2, 2, {}, 1);
  // Fused multiply-add may keep the product of the first item at +inf; a NaN it must not be, and the second item is
  // there.
  for (const float score : result.scores) CHECK_FALSE(std::isnan(score));
  CHECK(std::find(result.ids.begin(), result.ids.end(), 1) != result.ids.end());
  CHECK_THROWS_WITH_AS(ranked({1, 1}, {1, std::numeric_limits<float>::quiet_NaN()}, 1, 1, {}, 1),
                       "items: expected finite values, got nan in row 1", recocore::Error);
}

namespace {

/// Values of many sizes, with rows of zeros and rows that repeat.
std::vector<float> uneven_matrix(std::int64_t rows, std::int64_t cols, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> value;
  std::uniform_int_distribution<int> exponent(-20, 20);
  std::vector<float> values(static_cast<std::size_t>(rows * cols));
  for (std::int64_t r = 0; r < rows; ++r) {
    const float scale = r % 10 == 3 ? 0 : std::ldexp(1.0F, exponent(generator));
    for (std::int64_t d = 0; d < cols; ++d)
      values[static_cast<std::size_t>(r * cols + d)] =
          r % 10 == 7 ? values[static_cast<std::size_t>((r - 1) * cols + d)] : scale * value(generator);
  }
  return values;
}

}  // namespace

TEST_CASE("packed items, floats and every pair scored give the same bytes, under every metric and filter") {
  using recocore::Metric;
  using recocore::Precision;
  for (const std::int64_t f : {1, 16, 40, 70}) {
    for (const std::int64_t n : {1, 3, 37}) {
      const std::int64_t m = 2100;
      const auto queries = uneven_matrix(n, f, 5);
      const auto items = uneven_matrix(m, f, 6);
      const auto packed = recocore::pack_items({items.data(), m, f}, {2});
      const auto codes = packed.view();
      recocore::validate(codes, {items.data(), m, f});
      std::vector<float> biases(static_cast<std::size_t>(m));
      for (std::size_t i = 0; i < biases.size(); ++i) biases[i] = static_cast<float>(i % 13) - 6;
      std::vector<std::int32_t> allowed;
      for (std::int32_t i = 0; i < m; i += 3) allowed.push_back(i);
      std::vector<std::int32_t> everything(static_cast<std::size_t>(m));
      for (std::int32_t i = 0; i < m; ++i) everything[static_cast<std::size_t>(i)] = i;
      std::vector<std::int64_t> indptr(static_cast<std::size_t>(n) + 1);
      std::vector<std::int32_t> all_rows;
      for (std::int64_t q = 0; q < n; ++q) {
        // In any order, and some of them twice.
        all_rows.insert(all_rows.end(), everything.rbegin(), everything.rend());
        all_rows.insert(all_rows.end(), everything.begin() + 10, everything.begin() + 60);
        indptr[static_cast<std::size_t>(q) + 1] = std::ssize(all_rows);
      }
      const std::vector<std::int32_t> block{0, 5, 6, 7, 2000};
      for (const Metric metric : {Metric::inner_product, Metric::cosine, Metric::euclidean}) {
        for (const bool some : {false, true}) {
          CandidateFilter filter;
          if (some) {
            filter.allow_shared = allowed;
            filter.block = block;
          }
          const auto solve = [&](std::int64_t k, Precision precision, bool one_by_one, int threads) {
            recocore::TopkProblem problem;
            problem.queries = {queries.data(), n, f};
            problem.items = {items.data(), m, f};
            problem.metric = metric;
            problem.codes = &codes;
            problem.precision = precision;
            if (metric == Metric::inner_product && some) problem.biases = biases;
            CandidateFilter given = filter;
            // Lists of each query's own are scored one by one by float32, and scanned by codes.
            if (one_by_one) given.allow = recocore::RowsOf{{n, m, indptr, all_rows}, {}};
            Ranking result{std::vector<std::int32_t>(static_cast<std::size_t>(n * k)),
                           std::vector<float>(static_cast<std::size_t>(n * k))};
            recocore::topk(problem, given, {result.ids.data(), n, k}, {result.scores.data(), n, k}, {threads});
            return result;
          };
          const Ranking all = solve(60, Precision::float32, true, 1);
          for (const auto& [k, threads] : {std::pair{0, 3}, {1, 3}, {12, 1}, {12, 3}, {60, 2}}) {
            const Ranking expected = head_of(all, 60, k);
            for (const Precision precision : {Precision::automatic, Precision::float32}) {
              for (const bool one_by_one : {false, true}) {
                const Ranking found = solve(k, precision, one_by_one, threads);
                CHECK(found.ids == expected.ids);
                CHECK(found.scores == expected.scores);
              }
            }
          }
        }
      }
    }
  }
}

TEST_CASE("what is excluded takes no part in first bars, in the whole catalogue and in a gathered part of it") {
  using recocore::Metric;
  using recocore::RowsOf;
  const std::int64_t n = 530;
  const std::int64_t m = 2400;
  const std::int64_t f = 40;
  const auto queries = uneven_matrix(n, f, 15);
  const auto items = uneven_matrix(m, f, 16);
  const auto packed = recocore::pack_items({items.data(), m, f}, {2});
  const auto codes = packed.view();
  std::vector<float> biases(static_cast<std::size_t>(m));
  for (std::size_t i = 0; i < biases.size(); ++i) biases[i] = static_cast<float>(i % 13) - 6;
  std::vector<float> thresholds(static_cast<std::size_t>(n), -std::numeric_limits<float>::infinity());
  for (std::size_t q = 0; q < thresholds.size(); q += 3) thresholds[q] = 1;
  std::vector<std::int32_t> everything(static_cast<std::size_t>(m));
  for (std::int32_t i = 0; i < m; ++i) everything[static_cast<std::size_t>(i)] = i;
  // Out of order, one of them twice.
  std::vector<std::int32_t> few;
  for (std::int32_t i = 597; i >= 0; --i) few.push_back(4 * i + 1);
  few.push_back(5);
  const std::vector<std::int32_t> block{9, 2000, 13, 17};
  // Every query leaves out its best ones: more of them than have a rank for some.
  std::vector<std::int64_t> seen_starts{0};
  std::vector<std::int32_t> seen;
  {
    Ranking best{std::vector<std::int32_t>(static_cast<std::size_t>(n * 150)),
                 std::vector<float>(static_cast<std::size_t>(n * 150))};
    recocore::TopkProblem problem;
    problem.queries = {queries.data(), n, f};
    problem.items = {items.data(), m, f};
    recocore::topk(problem, {}, {best.ids.data(), n, 150}, {best.scores.data(), n, 150}, {2});
    for (std::int64_t q = 0; q < n; ++q) {
      for (std::int64_t i = 0; i < (q % 5 == 0 ? 150 : q % 40); ++i)
        seen.push_back(best.ids[static_cast<std::size_t>(q * 150 + i)]);
      seen_starts.push_back(std::ssize(seen));
    }
  }
  std::vector<std::int64_t> whole_row{0, m};
  const std::vector<std::int32_t> first_row(static_cast<std::size_t>(n), 0);
  for (const Metric metric : {Metric::inner_product, Metric::cosine, Metric::euclidean}) {
    for (const bool some : {false, true}) {
      for (const bool is_packed : {false, true}) {
        if (!is_packed && metric != Metric::inner_product) continue;
        const auto solve = [&](std::int64_t k, bool one_by_one, int threads) {
          CandidateFilter filter;
          filter.exclude.push_back({{n, m, seen_starts, seen}, {}});
          filter.block = block;
          if (some) filter.allow_shared = few;
          // Lists of each query's own are scored one by one.
          if (one_by_one) filter.allow = RowsOf{{1, m, whole_row, everything}, first_row};
          recocore::TopkProblem problem;
          problem.queries = {queries.data(), n, f};
          problem.items = {items.data(), m, f};
          problem.metric = metric;
          problem.biases = biases;
          problem.thresholds = thresholds;
          if (is_packed) problem.codes = &codes;
          Ranking result{std::vector<std::int32_t>(static_cast<std::size_t>(n * k)),
                         std::vector<float>(static_cast<std::size_t>(n * k))};
          recocore::topk(problem, filter, {result.ids.data(), n, k}, {result.scores.data(), n, k}, {threads});
          return result;
        };
        const Ranking all = solve(100, true, 1);
        for (const auto& [k, threads] : {std::pair{1, 3}, {10, 1}, {10, 3}, {100, 2}}) {
          const Ranking expected = head_of(all, 100, k);
          const Ranking found = solve(k, false, threads);
          CHECK(found.ids == expected.ids);
          CHECK(found.scores == expected.scores);
        }
      }
    }
  }
}
