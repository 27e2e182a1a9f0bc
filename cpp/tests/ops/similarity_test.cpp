#include "recocore/similarity.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "recocore/error.hpp"

namespace recocore {
namespace {

CsrMatrix matrix_of(const std::vector<std::vector<float>>& dense) {
  CsrMatrix matrix{std::ssize(dense), dense.empty() ? 0 : std::ssize(dense.front()), {0}, {}, {}};
  for (const auto& row : dense) {
    for (std::size_t c = 0; c < row.size(); ++c) {
      if (row[c] == 0.0F) continue;
      matrix.indices.push_back(static_cast<std::int32_t>(c));
      matrix.values.push_back(row[c]);
    }
    matrix.indptr.push_back(std::ssize(matrix.indices));
  }
  return matrix;
}

CsrMatrix random_matrix(std::size_t rows, std::size_t cols) {
  std::mt19937 random(7);
  std::vector dense(rows, std::vector<float>(cols, 0.0F));
  for (auto& row : dense)
    for (float& value : row)
      if (random() % 4 == 0) value = static_cast<float>(random() % 5 + 1);
  return matrix_of(dense);
}

float score(const CsrMatrix& matrix, std::int64_t i, std::int32_t j) {
  const CsrView view = matrix.view();
  for (std::size_t e = 0; e < view.row(i).size(); ++e)
    if (view.row(i)[e] == j) return view.row_values(i)[e];
  return 0.0F;
}

SimilarityParams of(std::string_view kind) {
  SimilarityParams params;
  params.kind = similarity_kind(kind);
  return params;
}

TEST_CASE("each kind of a pair worked by hand") {
  // n_i = 3, n_j = 2, n_ij = 2 over 4 columns; |x|^2 = 14, |y|^2 = 20, xy = 10
  const CsrMatrix matrix = matrix_of({{1, 2, 3, 0}, {2, 4, 0, 0}});
  const auto value = [&](std::string_view kind, double alpha = 1.0, double beta = 1.0) {
    SimilarityParams params = of(kind);
    params.alpha = alpha;
    params.beta = beta;
    return score(similarity(matrix.view(), params, {}), 0, 1);
  };
  CHECK(value("cosine") == doctest::Approx(10 / std::sqrt(14.0 * 20.0)));
  CHECK(value("pearson") == doctest::Approx(1.0));
  CHECK(value("pearson_whole") == doctest::Approx((-1.0 * -1.0 + 0.0) / (std::sqrt(2.0) * std::sqrt(2.0))));
  CHECK(value("jaccard") == doctest::Approx(2.0 / 3.0));
  CHECK(value("tanimoto") == doctest::Approx(10.0 / 24.0));
  CHECK(value("dice") == doctest::Approx(0.8));
  CHECK(value("tversky", 0.5, 2.0) == doctest::Approx(2.0 / 2.5));
  CHECK(value("asymmetric_cosine", 0.25) == doctest::Approx(10 / (std::pow(14, 0.25) * std::pow(20, 0.75))));
  CHECK(value("lift") == doctest::Approx(2.0 * 4.0 / 6.0));
  CHECK(value("conditional_probability") == doctest::Approx(2.0 / 3.0));
  CHECK(value("cooccurrence") == 2.0F);
  CHECK(value("p3alpha") == doctest::Approx(1.0 / 6 * 2 / 3 + 2.0 / 6 * 4 / 6));
  CHECK(value("rp3beta") == doctest::Approx((1.0 / 6 * 2 / 3 + 2.0 / 6 * 4 / 6) / 2));
  // table 2 1 / 0 1: G^2 = 2 (2 ln 4/3 + ln 2/3 + 0 + ln 2)
  CHECK(value("log_likelihood_ratio") ==
        doctest::Approx(2 * (2 * std::log(4.0 / 3) + std::log(2.0 / 3) + std::log(2.0))));
}

TEST_CASE("every kind has the same bytes at every thread count, sorted columns and finite scores") {
  const CsrMatrix matrix = random_matrix(90, 40);
  for (const std::string_view name : similarity_kind_names()) {
    CAPTURE(name);
    SimilarityParams params = of(name);
    params.k = 5;
    const CsrMatrix one = similarity(matrix.view(), params, {1, nullptr});
    for (const int threads : {2, 7}) {
      const CsrMatrix other = similarity(matrix.view(), params, {threads, nullptr});
      CHECK(one.indptr == other.indptr);
      CHECK(one.indices == other.indices);
      CHECK(one.values == other.values);
    }
    CHECK(one.rows == 90);
    CHECK(one.cols == 90);
    for (std::int64_t r = 0; r < one.rows; ++r) {
      const auto columns = one.view().row(r);
      CHECK(columns.size() <= 5);
      for (std::size_t e = 1; e < columns.size(); ++e) CHECK(columns[e - 1] < columns[e]);
      for (const float v : one.view().row_values(r)) CHECK(std::isfinite(v));
    }
  }
}

TEST_CASE("some rows are those of the whole, in the order asked for") {
  const CsrMatrix matrix = random_matrix(60, 30);
  const std::vector<std::int32_t> rows{59, 3, 3, 0, 17, 18, 19, 20, 21, 22, 23};
  for (const std::string_view name : similarity_kind_names()) {
    CAPTURE(name);
    SimilarityParams params = of(name);
    params.k = 5;
    const CsrMatrix whole = similarity(matrix.view(), params, {1, nullptr});
    const CsrMatrix some = similarity(matrix.view(), params, {2, nullptr}, rows);
    REQUIRE(some.rows == std::ssize(rows));
    CHECK(some.cols == 60);
    for (std::int64_t q = 0; q < some.rows; ++q) {
      const std::int64_t row = rows[static_cast<std::size_t>(q)];
      CHECK(std::ranges::equal(some.view().row(q), whole.view().row(row)));
      CHECK(std::ranges::equal(some.view().row_values(q), whole.view().row_values(row)));
    }
  }
  CHECK(similarity(matrix.view(), {}, {}, std::vector<std::int32_t>{}).rows == 0);
  for (const std::int32_t outside : {-1, 60})
    CHECK_THROWS_AS((void)similarity(matrix.view(), {}, {}, std::vector{0, outside}), Error);
}

TEST_CASE("no rows, no columns and no entries") {
  for (const std::string_view name : similarity_kind_names()) {
    CHECK(similarity(CsrMatrix{}.view(), of(name), {}).indices.empty());
    CHECK(similarity(matrix_of({{}, {}}).view(), of(name), {}).indptr == std::vector<std::int64_t>{0, 0, 0});
    CHECK(similarity(matrix_of({{0, 0}, {0, 0}}).view(), of(name), {}).indices.empty());
  }
}

TEST_CASE("bad input is an error") {
  const CsrMatrix good = matrix_of({{1, 2}, {3, 4}});
  CsrMatrix unsorted = good;
  std::swap(unsorted.indices[2], unsorted.indices[3]);
  CsrMatrix not_finite = good;
  not_finite.values[3] = NAN;
  CsrMatrix outside = good;
  outside.indices[1] = 2;
  for (const CsrMatrix& bad : {unsorted, not_finite, outside})
    CHECK_THROWS_AS((void)similarity(bad.view(), of("cosine"), {}), Error);
  CHECK_THROWS_AS((void)similarity_kind("euclid"), Error);

  SimilarityParams params;
  params.k = 0;
  CHECK_THROWS_AS((void)similarity(good.view(), params, {}), Error);
  params = {};
  params.min_support = 0;
  CHECK_THROWS_AS((void)similarity(good.view(), params, {}), Error);
  params = {};
  params.shrinkage = -1;
  CHECK_THROWS_AS((void)similarity(good.view(), params, {}), Error);
}

TEST_CASE("a monitor stops the computation") {
  struct Stop : Monitor {
    void poll(double) override { throw std::runtime_error("stop"); }
  } stop;
  const CsrMatrix matrix = matrix_of(std::vector(1200, std::vector<float>(150, 1.0F)));
  CHECK_THROWS_WITH((void)similarity(matrix.view(), of("cosine"), {2, &stop}), "stop");
}

}  // namespace
}  // namespace recocore
