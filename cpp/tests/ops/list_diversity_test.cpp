#include "recocore/list_diversity.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "recocore/error.hpp"

namespace {

using namespace recocore;

// (1, 0), (1, 1), (0, 2), (0, 0)
const std::vector<float> kDense{1, 0, 1, 1, 0, 2, 0, 0};
const std::vector<std::int64_t> kIndptr{0, 1, 3, 4, 4};
const std::vector<std::int32_t> kColumns{0, 0, 1, 1};
const std::vector<float> kValues{1, 1, 1, 2};
const std::vector<std::int64_t> kCutoffs{1, 2, 3};

TEST_CASE("one less the mean cosine of the pairs, for dense and sparse vectors") {
  const std::vector<std::int32_t> ids{0, 1, 2, 3, 0, -1};
  const MatrixView<const std::int32_t> lists(ids.data(), 2, 3);
  const auto dense = list_diversity(lists, MatrixView<const float>(kDense.data(), 4, 2), kCutoffs, {});
  const auto sparse = list_diversity(lists, CsrView{{4, 2, kIndptr, kColumns}, kValues}, kCutoffs, {});
  CHECK(dense == sparse);
  const double half = 1.0 / std::sqrt(2.0);
  CHECK(dense[0] == 0.0);
  CHECK(dense[1] == 0.0);
  CHECK(dense[2] == doctest::Approx(1.0 - half));
  CHECK(dense[3] == 1.0);  // a zero vector is like no other
  CHECK(dense[4] == doctest::Approx(1.0 - 2.0 * half / 3.0));
  CHECK(dense[5] == 1.0);
}

TEST_CASE("bad input is refused") {
  const std::vector<std::int32_t> ids{0, 4};
  const MatrixView<const std::int32_t> lists(ids.data(), 1, 2);
  const MatrixView<const float> vectors(kDense.data(), 4, 2);
  CHECK_THROWS_AS(static_cast<void>(list_diversity(lists, vectors, kCutoffs, {})), Error);
  CHECK_THROWS_AS(static_cast<void>(list_diversity(lists, vectors, std::vector<std::int64_t>{0}, {})), Error);
}

}  // namespace
