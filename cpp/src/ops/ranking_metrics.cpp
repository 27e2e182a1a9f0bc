#include "recocore/ranking_metrics.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "ranking_metrics_cpu.hpp"
#include "recocore/error.hpp"

namespace recocore {
namespace {

template <typename Kind, std::size_t size>
Kind kind_from(const std::array<std::pair<std::string_view, Kind>, size>& table, std::string_view name,
               std::string_view argument) {
  for (const auto& [known, kind] : table)
    if (known == name) return kind;
  std::string message = std::string(argument) + ": expected one of ";
  for (const auto& [known, kind] : table) message += std::string(known) + ", ";
  throw Error(ErrorCode::invalid_argument, message + "got \"" + std::string(name) + "\"");
}

std::string shape(std::int64_t rows, std::int64_t cols) {
  return std::to_string(rows) + " x " + std::to_string(cols);
}

/// Checks shapes only; a row is checked when its user's list is read.
void check_shape(const CsrPattern& matrix, std::string_view argument) {
  require(
      matrix.rows >= 0 && matrix.cols >= 0 && matrix.cols <= INT32_MAX && std::ssize(matrix.indptr) == matrix.rows + 1,
      [&] {
        return std::string(argument) + ": expected rows + 1 row pointers and fewer than 2**31 columns, got " +
               std::to_string(matrix.indptr.size()) + " for " + shape(matrix.rows, matrix.cols);
      });
}

void check(const RankedLists& lists, const CsrView& relevant, bool needs_scores) {
  check_shape(relevant, "relevant");
  require(relevant.values.size() == relevant.indices.size(), [&] {
    return "relevant.values: expected one for each index, " + std::to_string(relevant.indices.size()) + ", got " +
           std::to_string(relevant.values.size());
  });
  require(std::ssize(lists.users) == lists.ids.rows, [&] {
    return "users: expected one for each list, " + std::to_string(lists.ids.rows) + ", got " +
           std::to_string(lists.users.size());
  });
  for (const std::int32_t user : lists.users) {
    require(user >= 0 && user < relevant.rows, [&] {
      return "users: expected rows of relevant, in [0, " + std::to_string(relevant.rows) + "), got " +
             std::to_string(user);
    });
  }
  if (!needs_scores) return;
  require(lists.scores.rows == lists.ids.rows && lists.scores.cols == lists.ids.cols, [&] {
    return "scores: expected the shape of ids, " + shape(lists.ids.rows, lists.ids.cols) + ", got " +
           shape(lists.scores.rows, lists.scores.cols);
  });
}

}  // namespace

RankingMetric ranking_metric_from(std::string_view name) {
  using enum RankingMetric;
  static constexpr std::array<std::pair<std::string_view, RankingMetric>, 9> kTable{{
      {"recall", recall},
      {"capped_recall", capped_recall},
      {"precision", precision},
      {"hit_rate", hit_rate},
      {"map", map},
      {"map_capped", map_capped},
      {"mrr", mrr},
      {"ndcg", ndcg},
      {"ndcg_graded", ndcg_graded},
  }};
  return kind_from(kTable, name, "metrics");
}

Gain gain_from(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, Gain>, 2> kTable{
      {{"linear", Gain::linear}, {"exponential", Gain::exponential}}};
  return kind_from(kTable, name, "gain");
}

std::vector<double> ranking_metrics(const RankedLists& lists, const CsrView& relevant,
                                    const RankingMetricsParams& params, const Execution& execution) {
  check(lists, relevant, params.average_ties);
  for (const std::int64_t k : params.cutoffs)
    require(k >= 1, [&] { return "k: expected cutoffs of at least 1, got " + std::to_string(k); });
  return cpu::ranking_metrics(lists, relevant, params, execution);
}

std::vector<double> ranking_auc(const RankedLists& lists, const CsrView& relevant, const CsrPattern* excluded,
                                const Execution& execution) {
  check(lists, relevant, true);
  if (excluded != nullptr) {
    check_shape(*excluded, "excluded");
    require(excluded->rows == relevant.rows && excluded->cols == relevant.cols, [&] {
      return "excluded: expected the shape of relevant, " + shape(relevant.rows, relevant.cols) + ", got " +
             shape(excluded->rows, excluded->cols);
    });
  }
  return cpu::ranking_auc(lists, relevant, excluded, execution);
}

}  // namespace recocore
