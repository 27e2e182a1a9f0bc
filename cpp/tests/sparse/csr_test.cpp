#include "recocore/csr.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <map>
#include <random>
#include <utility>
#include <vector>

#include "recocore/error.hpp"

using recocore::csr_from_coo;
using recocore::CsrMatrix;
using recocore::Duplicates;
using recocore::Error;
using recocore::transpose;
using recocore::validate;

namespace {

struct Coo {
  std::vector<std::int32_t> rows;
  std::vector<std::int32_t> cols;
  std::vector<float> values;
};

Coo random_coo(std::size_t entries, int rows, int cols, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_int_distribution<std::int32_t> row(0, rows - 1);
  std::uniform_int_distribution<std::int32_t> col(0, cols - 1);
  std::uniform_int_distribution<int> value(-8, 8);
  Coo coo;
  for (std::size_t e = 0; e < entries; ++e) {
    coo.rows.push_back(row(generator));
    coo.cols.push_back(col(generator));
    coo.values.push_back(static_cast<float>(value(generator)));
  }
  return coo;
}

}  // namespace

TEST_CASE("csr_from_coo merges duplicates like a map and sorts columns") {
  const Coo coo = random_coo(500, 13, 11, 42);
  for (const Duplicates rule : {Duplicates::sum, Duplicates::last, Duplicates::max}) {
    std::map<std::pair<std::int32_t, std::int32_t>, float> expected;
    for (std::size_t e = 0; e < coo.rows.size(); ++e) {
      const auto key = std::pair(coo.rows[e], coo.cols[e]);
      const auto [found, added] = expected.try_emplace(key, coo.values[e]);
      if (added) continue;
      if (rule == Duplicates::sum) found->second += coo.values[e];
      if (rule == Duplicates::last) found->second = coo.values[e];
      if (rule == Duplicates::max) found->second = std::max(found->second, coo.values[e]);
    }
    const CsrMatrix csr = csr_from_coo(coo.rows, coo.cols, coo.values, 13, 11, rule);
    recocore::validate(csr.view(), "csr");
    REQUIRE(csr.indices.size() == expected.size());
    std::size_t e = 0;
    for (const auto& [key, value] : expected) {
      CHECK(csr.indices[e] == key.second);
      CHECK(csr.values[e] == value);
      CHECK(csr.indptr[static_cast<std::size_t>(key.first)] <= static_cast<std::int64_t>(e));
      CHECK(csr.indptr[static_cast<std::size_t>(key.first) + 1] > static_cast<std::int64_t>(e));
      ++e;
    }
  }
}

TEST_CASE("transposing twice gives the matrix back") {
  const Coo coo = random_coo(200, 17, 5, 7);
  const CsrMatrix csr = csr_from_coo(coo.rows, coo.cols, coo.values, 17, 5);
  const CsrMatrix twice = transpose(transpose(csr.view()).view());
  CHECK(twice.indptr == csr.indptr);
  CHECK(twice.indices == csr.indices);
  CHECK(twice.values == csr.values);
}

TEST_CASE("empty matrices are matrices") {
  const CsrMatrix none = csr_from_coo({}, {}, {}, 0, 0);
  CHECK(none.indptr == std::vector<std::int64_t>{0});
  const CsrMatrix flat = transpose(csr_from_coo({}, {}, {}, 3, 0).view());
  CHECK(flat.rows == 0);
  CHECK(flat.cols == 3);
}

TEST_CASE("what is wrong is named with its position") {
  const std::vector<std::int32_t> ids{0, 1};
  const std::vector<float> values{1, std::numeric_limits<float>::quiet_NaN()};
  CHECK_THROWS_WITH_AS(static_cast<void>(csr_from_coo(ids, ids, values, 2, 2)),
                       "values: expected finite values, got nan at position 1", Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(csr_from_coo(ids, ids, std::vector<float>{1, 1}, 2, 1)),
                       "rows, cols: expected coordinates inside 2 x 1, got (1, 1) at position 1", Error);
  CHECK_THROWS_AS(static_cast<void>(csr_from_coo(ids, ids, std::vector<float>{1}, 2, 2)), Error);

  const std::vector<std::int64_t> falling{0, 2, 1};
  const std::vector<std::int32_t> one{0};
  CHECK_THROWS_AS(validate(recocore::CsrPattern{2, 1, falling, one}, "m"), Error);
  const std::vector<std::int64_t> indptr{0, 1, 1};
  const std::vector<std::int32_t> outside{5};
  CHECK_THROWS_WITH_AS(validate(recocore::CsrPattern{2, 1, indptr, outside}, "m"),
                       "m.indices: expected numbers in [0, 1), got 5 in row 0", Error);
}
