#include "recocore/selection.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <utility>

namespace recocore {
namespace {

using Ranked = std::pair<std::vector<std::int32_t>, std::vector<float>>;

Ranked taken(TopkSelector& selector, std::size_t width) {
  Ranked result{std::vector<std::int32_t>(width), std::vector<float>(width)};
  selector.take_sorted(result.first, result.second);
  return result;
}

TEST_CASE("keeps the k best whatever the order of the offers") {
  std::mt19937 random(1);
  std::vector<float> scores(200);
  for (float& s : scores) s = static_cast<float>(random() % 20) - 10.0F;  // many ties
  std::vector<std::int32_t> expected(scores.size());
  std::iota(expected.begin(), expected.end(), 0);
  std::stable_sort(expected.begin(), expected.end(), [&](std::int32_t a, std::int32_t b) {
    return scores[static_cast<std::size_t>(a)] > scores[static_cast<std::size_t>(b)];
  });

  std::vector<std::int32_t> arrival = expected;
  for (const std::size_t k : {1UL, 2UL, 7UL, 199UL, 200UL}) {
    TopkSelector selector(static_cast<std::int64_t>(k));
    for (int round = 0; round < 3; ++round) {  // the scratch serves many selections
      std::shuffle(arrival.begin(), arrival.end(), random);
      for (const std::int32_t id : arrival) selector.offer(scores[static_cast<std::size_t>(id)], id);
      CHECK(selector.size() == k);
      const auto [ids, kept] = taken(selector, k);
      CHECK(std::equal(ids.begin(), ids.end(), expected.begin()));
      for (std::size_t i = 0; i < k; ++i) CHECK(kept[i] == scores[static_cast<std::size_t>(ids[i])]);
    }
  }
}

TEST_CASE("pads what is missing") {
  TopkSelector selector(4);
  selector.offer(1.0F, 9);
  selector.offer(kPadScore, 3);  // a score of -inf is a candidate all the same
  CHECK(taken(selector, 4) == Ranked{{9, 3, kPadId, kPadId}, {1.0F, kPadScore, kPadScore, kPadScore}});
  CHECK(taken(selector, 2) == Ranked{{kPadId, kPadId}, {kPadScore, kPadScore}});
}

TEST_CASE("skips NaN, before and after k are kept") {
  TopkSelector selector(2);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const float score : {nan, 1.0F, nan, 3.0F, nan, 2.0F})
    selector.offer(score, static_cast<std::int32_t>(score == score ? score : 0.0F));
  CHECK(taken(selector, 2).first == std::vector<std::int32_t>{3, 2});
}

TEST_CASE("zeros of both signs tie") {
  TopkSelector selector(2);
  selector.offer(0.0F, 2);
  selector.offer(-0.0F, 1);
  selector.offer(0.0F, 0);
  CHECK(taken(selector, 2).first == std::vector<std::int32_t>{0, 1});
}

TEST_CASE("k of 0 keeps nothing and no bound keeps everything") {
  TopkSelector none(0);
  none.offer(1.0F, 1);
  CHECK(none.size() == 0);
  CHECK(none.bound() == kPadScore);

  TopkSelector all(TopkSelector::kUnbounded);
  for (std::int32_t id = 0; id < 1000; ++id) all.offer(static_cast<float>(id), id);
  CHECK(all.size() == 1000);
  CHECK(all.bound() == kPadScore);
}

TEST_CASE("the bound is the worst kept score once k are kept") {
  TopkSelector selector(2);
  selector.offer(5.0F, 0);
  CHECK(selector.bound() == kPadScore);
  selector.offer(4.0F, 1);
  CHECK(selector.bound() == 4.0F);
  selector.offer(7.0F, 2);
  CHECK(selector.bound() == 5.0F);
}

TEST_CASE("a CSR row takes the kept with ids rising") {
  TopkSelector selector(3);
  for (const std::int32_t id : {5, 1, 4, 2})
    selector.offer(static_cast<float>(id % 3), id);  // 5 and 2 share the best score
  std::vector<std::int32_t> ids{7};
  std::vector<float> scores{0.5F};
  selector.append_by_id(ids, scores);
  CHECK(ids == std::vector<std::int32_t>{7, 1, 2, 5});
  CHECK(scores == std::vector<float>{0.5F, 1.0F, 2.0F, 2.0F});
  CHECK(selector.size() == 0);
}

}  // namespace
}  // namespace recocore
