#include "recocore/anomaly/hbos.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "recocore/error.hpp"

using namespace recocore;

TEST_CASE("bins have equal widths, and their densities integrate to 1") {
  const std::vector<double> rows{0, 1, 2, 2, 2, 10};
  const auto arrays = Hbos::fit(MatrixView<const double>(rows.data(), 6, 1), 5, BinKind::equal_width, {1, nullptr});
  CHECK(arrays.edges == std::vector<double>{0, 2, 4, 6, 8, 10});
  REQUIRE(arrays.density.size() == 5);
  CHECK(arrays.density[0] == doctest::Approx(2.0 / 12));
  CHECK(arrays.density[1] == doctest::Approx(3.0 / 12));
  CHECK(arrays.density[2] == 0);
  CHECK(arrays.density[4] == doctest::Approx(1.0 / 12));
}

TEST_CASE("a value outside counts as in the nearest bin within the tolerance, else as in the emptiest") {
  const std::vector<double> rows{0, 1, 2, 2, 2, 10};
  const Hbos hbos(Hbos::fit(MatrixView<const double>(rows.data(), 6, 1), 5, BinKind::equal_width, {1, nullptr}), 0.1,
                  0.5);
  const std::vector<double> asked{-1, -1.01, 11, 11.01, 10, 5, std::nan("")};
  std::vector<double> scores(asked.size());
  hbos.score(MatrixView<const double>(asked.data(), 7, 1), scores, {1, nullptr});
  const double emptiest = -std::log2(0.1);
  CHECK(scores[0] == doctest::Approx(-std::log2(2.0 / 12 + 0.1)));
  CHECK(scores[1] == doctest::Approx(emptiest));
  CHECK(scores[2] == doctest::Approx(-std::log2(1.0 / 12 + 0.1)));
  CHECK(scores[3] == doctest::Approx(emptiest));
  CHECK(scores[4] == scores[2]);
  CHECK(scores[5] == doctest::Approx(emptiest));
  CHECK(scores[6] == 0);
}

TEST_CASE("arrays that are no histograms are corrupt") {
  CHECK_THROWS_AS(Hbos({{0, 1}, {0, 0}, {1}}, 0.1, 0.5), Error);
  CHECK_THROWS_AS(Hbos({{0, 1}, {0, 1}, {-1}}, 0.1, 0.5), Error);
  CHECK_THROWS_AS(Hbos({{0, 2}, {0, 1}, {1}}, 0.1, 0.5), Error);
  CHECK_NOTHROW(Hbos({{0, 1}, {0, 1}, {1}}, 0.1, 0.5));
}
