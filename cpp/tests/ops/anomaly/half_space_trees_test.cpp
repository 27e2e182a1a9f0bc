#include "recocore/anomaly/half_space_trees.hpp"

#include <doctest/doctest.h>

#include <thread>
#include <vector>

#include "recocore/error.hpp"
#include "rows.hpp"

using namespace recocore;

TEST_CASE("masses of a full window are the rows of the window at every root") {
  const auto rows = some_rows(95, 2, 1);
  const MatrixView<const double> view(rows.data(), 95, 2);
  HalfSpaceTrees trees(HalfSpaceTrees::build(view, 4, 3, 30, 7));
  trees.update(view, {2, nullptr});
  const HalfSpaceArrays state = trees.arrays();
  CHECK(state.seen == 5);
  CHECK(state.profiled == 30);
  for (std::size_t t = 0; t < 4; ++t) {
    const std::int32_t* mass = state.reference.data() + t * 15;
    CHECK(mass[0] == 30);
    CHECK(state.latest[t * 15] == 5);
    for (std::size_t node = 0; node < 7; ++node) CHECK(mass[node] == mass[2 * node + 1] + mass[2 * node + 2]);
  }
}

TEST_CASE("threads may score while another updates") {
  const auto rows = some_rows(300, 3, 2);
  const MatrixView<const double> view(rows.data(), 300, 3);
  HalfSpaceTrees trees(HalfSpaceTrees::build(view, 5, 6, 50, 7));
  trees.update(view, {1, nullptr});
  std::thread writer([&] {
    for (int i = 0; i < 20; ++i) trees.update(view, {1, nullptr});
  });
  std::vector<double> scores(300);
  for (int i = 0; i < 20; ++i) {
    trees.score(view, scores, {1, nullptr});
    for (const double score : scores) CHECK((score >= 0 && score <= 1));
  }
  writer.join();
}

TEST_CASE("arrays that are no trees are corrupt") {
  const auto rows = some_rows(10, 2, 1);
  const auto arrays = HalfSpaceTrees::build(MatrixView<const double>(rows.data(), 10, 2), 2, 3, 5, 0);
  const auto refused = [&](auto&& damage) {
    HalfSpaceArrays damaged = arrays;
    damage(damaged);
    try {
      const HalfSpaceTrees trees(std::move(damaged));
    } catch (const Error& error) {
      return error.code() == ErrorCode::corrupt;
    }
    return false;
  };
  CHECK_FALSE(refused([](HalfSpaceArrays&) {}));
  CHECK(refused([](HalfSpaceArrays& a) { a.feature[3] = 2; }));
  CHECK(refused([](HalfSpaceArrays& a) { a.height = 4; }));
  CHECK(refused([](HalfSpaceArrays& a) { a.height = 40; }));
  CHECK(refused([](HalfSpaceArrays& a) { a.seen = 5; }));
  CHECK(refused([](HalfSpaceArrays& a) { a.latest.pop_back(); }));
}
