#include "recocore/ranking_metrics.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>

#include "recocore/error.hpp"

namespace {

using namespace recocore;

constexpr float kNone = -std::numeric_limits<float>::infinity();

/// Two users over six items: R = {1, 4} and R = {0}.
struct Fixture {
  std::vector<std::int64_t> indptr{0, 2, 3};
  std::vector<std::int32_t> columns{1, 4, 0};
  std::vector<float> values{2.0F, 1.0F, 1.0F};
  std::vector<std::int32_t> users{0, 1};
  std::vector<std::int32_t> ids{4, 2, 1, 5, -1, -1};
  std::vector<float> scores{3.0F, 3.0F, 1.0F, 2.0F, kNone, kNone};

  [[nodiscard]] CsrView relevant() const { return {{2, 6, indptr, columns}, values}; }
  [[nodiscard]] RankedLists lists() const { return {users, {ids.data(), 2, 3}, {scores.data(), 2, 3}}; }

  [[nodiscard]] std::vector<double> measure(RankingMetric metric, std::int64_t k, bool average = false) const {
    return ranking_metrics(lists(), relevant(), {{metric}, {k}, Gain::linear, average}, {});
  }

  [[nodiscard]] std::string error_of(const RankingMetricsParams& params) const {
    try {
      static_cast<void>(ranking_metrics(lists(), relevant(), params, {}));
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
};

TEST_CASE_FIXTURE(Fixture, "hits at ranks 1 and 3 of two relevant items") {
  const auto close = [](double value) { return doctest::Approx(value).epsilon(1e-14); };
  CHECK(measure(RankingMetric::recall, 1)[0] == close(0.5));
  CHECK(measure(RankingMetric::capped_recall, 1)[0] == close(1.0));
  CHECK(measure(RankingMetric::precision, 3)[0] == close(2.0 / 3.0));
  CHECK(measure(RankingMetric::hit_rate, 3)[0] == close(1.0));
  CHECK(measure(RankingMetric::map, 3)[0] == close((1.0 + 2.0 / 3.0) / 2.0));
  CHECK(measure(RankingMetric::map_capped, 1)[0] == close(1.0));
  CHECK(measure(RankingMetric::mrr, 3)[0] == close(1.0));
  CHECK(measure(RankingMetric::ndcg, 3)[0] == close(1.5 / (1.0 + 1.0 / std::log2(3.0))));
  CHECK(measure(RankingMetric::ndcg_graded, 3)[0] == close(2.0 / (2.0 + 1.0 / std::log2(3.0))));
  for (const auto metric : {RankingMetric::recall, RankingMetric::precision, RankingMetric::mrr, RankingMetric::ndcg})
    CHECK(measure(metric, 3)[1] == 0.0);
}

TEST_CASE_FIXTURE(Fixture, "a tie of the first two places is averaged over both orders") {
  CHECK(measure(RankingMetric::recall, 1, true)[0] == doctest::Approx(0.25));
  CHECK(measure(RankingMetric::mrr, 3, true)[0] == doctest::Approx(0.75));
  CHECK(measure(RankingMetric::map, 3, true)[0] == doctest::Approx((0.75 + 2.0 / 3.0) / 2.0));
}

TEST_CASE_FIXTURE(Fixture, "area under the curve") {
  // Item 4 ties with 2 and beats 0, 3, 5; item 1 loses to 2 and beats those three. User 1's item is below 5 and ties
  // below.
  const auto area = ranking_auc(lists(), relevant(), nullptr, {});
  CHECK(area[0] == doctest::Approx((3.5 + 3.0) / 8.0));
  CHECK(area[1] == doctest::Approx((0.5 * 4.0) / 5.0));

  const std::vector<std::int64_t> seen_indptr{0, 2, 2};
  const std::vector<std::int32_t> seen{0, 3};
  const CsrPattern excluded{2, 6, seen_indptr, seen};
  CHECK(ranking_auc(lists(), relevant(), &excluded, {})[0] == doctest::Approx((1.5 + 1.0) / 4.0));
}

TEST_CASE_FIXTURE(Fixture, "broken lists are refused by name") {
  const RankingMetricsParams recall{{RankingMetric::recall}, {3}, Gain::linear, false};
  CHECK(error_of(recall).empty());
  CHECK(error_of({{RankingMetric::recall}, {0}, Gain::linear, false}).starts_with("k: expected cutoffs of at least 1"));
  ids[1] = 6;
  CHECK(error_of(recall) == "ids: expected -1 or numbers in [0, 6), got 6 in the list of user 0");
  ids[1] = 4;
  CHECK(error_of(recall).find("item 4 again in the list of user 0") != std::string::npos);
  ids[1] = -1;
  CHECK(error_of(recall).find("only -1 after a list's end, got 1") != std::string::npos);
  users[0] = 2;
  CHECK(error_of(recall).starts_with("users: expected rows of relevant, in [0, 2), got 2"));
}

TEST_CASE_FIXTURE(Fixture, "broken matrices are refused by name") {
  const RankingMetricsParams graded{{RankingMetric::ndcg_graded}, {3}, Gain::exponential, false};
  values[0] = std::numeric_limits<float>::quiet_NaN();
  CHECK(error_of(graded).starts_with("relevant: expected finite values"));
  values[0] = 600.0F;
  CHECK(error_of(graded).starts_with("relevant: expected values up to 512"));
  columns[0] = 5;
  CHECK(error_of(graded).starts_with("relevant: expected columns that rise"));
  indptr[1] = 9;
  CHECK(error_of(graded).starts_with("relevant.indptr: expected numbers that never fall"));
  indptr.pop_back();
  CHECK(error_of(graded).starts_with("relevant: expected rows + 1 row pointers"));
}

TEST_CASE("names") {
  CHECK(ranking_metric_from("map_capped") == RankingMetric::map_capped);
  CHECK(gain_from("exponential") == Gain::exponential);
  CHECK_THROWS_AS(static_cast<void>(ranking_metric_from("recal")), Error);
}

}  // namespace
