#include "recocore/matmul_topk.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "recocore/error.hpp"
#include "recocore/selection.hpp"

namespace recocore {
namespace {

using Ids = std::vector<std::int32_t>;

// a = [1 2 0; 0 0 0; 0 1 -1], b = [1 0 3; 0 4 1; 0 4 1]
const CsrMatrix kA{3, 3, {0, 2, 2, 4}, {0, 1, 1, 2}, {1, 2, 1, -1}};
const CsrMatrix kB{3, 3, {0, 2, 4, 6}, {0, 2, 1, 2, 1, 2}, {1, 3, 4, 1, 4, 1}};

/// The padded answer, 2 wide.
struct Answer {
  explicit Answer(std::size_t queries) : ids(queries * 2), scores(queries * 2) {}
  void ask(const std::optional<std::span<const std::int32_t>>& rows, const CandidateFilter& filter = {}) {
    const auto queries = std::ssize(ids) / 2;
    matmul_topk_padded(kA.view(), rows, kB.view(), filter, {ids.data(), queries, 2}, {scores.data(), queries, 2}, {});
  }
  Ids ids;
  std::vector<float> scores;
};

TEST_CASE("keeps the largest of each row, columns rising") {
  const CsrMatrix all = matmul_topk(kA.view(), kB.view(), {}, {});
  CHECK(all.indptr == std::vector<std::int64_t>{0, 3, 3, 5});
  CHECK(all.indices == Ids{0, 1, 2, 1, 2});
  CHECK(all.values == std::vector<float>{1, 8, 5, 0, 0});  // what cancels is still there
  const CsrMatrix best = matmul_topk(kA.view(), kB.view(), {.k = 1, .threshold = {}}, {});
  CHECK(best.indices == Ids{1, 1});
  CHECK(matmul_topk(kA.view(), kB.view(), {.k = {}, .threshold = 5.0F}, {}).indices == Ids{1, 2});
}

TEST_CASE("products that are zeros of either sign are entries, each once") {
  // columns: -0, -0 + -0, -0 + 2, 0 + -0, the negative number nearest to 0, and one that no row reaches
  const CsrMatrix a{1, 2, {0, 2}, {0, 1}, {1, 1}};
  const CsrMatrix b{
      2, 6, {0, 5, 8}, {0, 1, 2, 3, 4, 1, 2, 3}, {-0.0F, -0.0F, -0.0F, 0.0F, -1e-45F, -0.0F, 2.0F, -0.0F}};
  for (int again = 0; again < 2; ++again) {
    const CsrMatrix all = matmul_topk(a.view(), b.view(), {}, {1, nullptr});
    CHECK(all.indices == Ids{0, 1, 2, 3, 4});
    CHECK(all.values == std::vector<float>{0, 0, 2, 0, -1e-45F});
    for (const std::size_t zero : {0U, 1U, 3U}) CHECK_FALSE(std::signbit(all.values[zero]));
  }
  CHECK(matmul_topk(a.view(), b.view(), {.k = 3, .threshold = 0.0F}, {}).indices == Ids{0, 1, 2});
}

TEST_CASE("many rows in turn leave nothing behind, whatever their order") {
  // every row of a is a multiple of a row of b, so that the answer is known
  CsrMatrix a{300, 40, {0}, {}, {}};
  CsrMatrix b{40, 200, {0}, {}, {}};
  for (std::int32_t r = 0; r < 40; ++r) {
    for (std::int32_t c = r % 3; c < 200; c += 1 + r % 7) {
      b.indices.push_back(c);
      b.values.push_back(static_cast<float>((c * 7 + r) % 11 - 5));
    }
    b.indptr.push_back(std::ssize(b.indices));
  }
  for (std::int32_t r = 0; r < 300; ++r) {
    a.indices.push_back(r % 40);
    a.values.push_back(static_cast<float>(r % 5 - 2));
    a.indptr.push_back(std::ssize(a.indices));
  }
  const CsrMatrix all = matmul_topk(a.view(), b.view(), {}, {2, nullptr});
  for (std::int64_t r = 0; r < 300; ++r) {
    REQUIRE(std::ranges::equal(all.view().row(r), b.view().row(r % 40)));
    for (std::size_t e = 0; e < all.view().row(r).size(); ++e)
      CHECK(all.view().row_values(r)[e] == b.view().row_values(r % 40)[e] * static_cast<float>(r % 5 - 2));
  }
}

TEST_CASE("the padded form ranks, pads and filters") {
  const Ids rows{2, 0, 1, 0};
  Answer answer(4);
  answer.ask(rows);
  CHECK(answer.ids == Ids{1, 2, 1, 2, kPadId, kPadId, 1, 2});
  CHECK(answer.scores == std::vector<float>{0, 0, 8, 5, kPadScore, kPadScore, 8, 5});

  const Ids block{1};
  CandidateFilter filter;
  filter.block = block;
  answer.ask(rows, filter);
  CHECK(answer.ids == Ids{2, kPadId, 2, 0, kPadId, kPadId, 2, 0});

  Answer every(3);
  every.ask(std::nullopt);
  CHECK(every.ids == Ids{1, 2, kPadId, kPadId, 1, 2});
}

TEST_CASE("bad input is an error") {
  const Ids outside{3};
  Answer one(1);
  CHECK_THROWS_AS(one.ask(outside), Error);
  CHECK_THROWS_AS(one.ask(std::nullopt), Error);  // one row of output for three queries
  CHECK_THROWS_AS((void)matmul_topk(kA.view(), CsrMatrix{}.view(), {}, {}), Error);
  CHECK_THROWS_AS((void)matmul_topk(kA.view(), kB.view(), {.k = 0, .threshold = {}}, {}), Error);
}

}  // namespace
}  // namespace recocore
