#include "recocore/anomaly/mcd.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "recocore/error.hpp"
#include "rows.hpp"

using namespace recocore;

TEST_CASE("rows far away are in no support, at every number of threads") {
  for (const std::int64_t n : {100, 900}) {
    auto rows = some_rows(n, 3, 2);
    for (std::int64_t i = 0; i < n / 5 * 3; ++i) rows[static_cast<std::size_t>(i)] += 50;
    const MatrixView<const double> view(rows.data(), n, 3);
    const McdCorrections corrections{1.5, 9.348, 1.06};
    const auto fit = Mcd::fit(view, Mcd::support_size(n, 3), corrections, 0, {1, nullptr});
    CHECK(std::none_of(fit.support.begin(), fit.support.begin() + n / 5, [](auto s) { return s != 0; }));
    CHECK(std::count(fit.support.begin(), fit.support.end(), 1) > n * 7 / 10);
    const auto again = Mcd::fit(view, Mcd::support_size(n, 3), corrections, 0, {4, nullptr});
    CHECK(again.arrays.precision == fit.arrays.precision);
  }
}

TEST_CASE("missing values and a support that is none are refused") {
  std::vector<double> rows{1, 2, std::nan(""), 4};
  CHECK_THROWS_AS((void)Mcd::varying(MatrixView<const double>(rows.data(), 2, 2)), Error);
  rows[2] = 3;
  CHECK(Mcd::varying(MatrixView<const double>(rows.data(), 2, 2)) == 2);
  CHECK_THROWS_AS((void)Mcd::fit(MatrixView<const double>(rows.data(), 2, 2), 3, {}, 0, {1, nullptr}), Error);
}
