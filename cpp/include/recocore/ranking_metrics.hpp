#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "recocore/csr.hpp"
#include "recocore/thread_pool.hpp"
#include "recocore/views.hpp"

namespace recocore {

/// What a ranked list is judged by. R is the set of a user's relevant items, hits the relevant ones among the first k.
enum class RankingMetric {
  recall,         ///< hits / |R|
  capped_recall,  ///< hits / min(k, |R|)
  precision,      ///< hits / k, however short the list
  hit_rate,       ///< 1 when there is a hit
  map,            ///< the sum over hits of precision at their ranks, / |R|
  map_capped,     ///< the same sum / min(k, |R|)
  mrr,            ///< 1 / rank of the first hit
  ndcg,           ///< the sum over hits of 1 / log2(rank + 1), / the best such sum, over min(k, |R|) ranks
  ndcg_graded,    ///< the same with each hit's gain as weight
};

/// How a relevant item's value becomes its gain in ndcg_graded.
enum class Gain {
  linear,       ///< the value (Järvelin and Kekäläinen 2002)
  exponential,  ///< 2^value - 1 (Burges et al. 2005)
};

/// The names are those of the enumerators; throws Error{invalid_argument} that lists them.
[[nodiscard]] RankingMetric ranking_metric_from(std::string_view name);
[[nodiscard]] Gain gain_from(std::string_view name);

/// Ranked items, best first: ids [n, depth] with -1 after a list's end, and, unless empty, their scores in the same
/// shape. List r is of users[r], a row of the matrices beside it.
struct RankedLists {
  std::span<const std::int32_t> users;
  MatrixView<const std::int32_t> ids;
  MatrixView<const float> scores;
};

struct RankingMetricsParams {
  std::vector<RankingMetric> metrics;
  std::vector<std::int64_t> cutoffs;
  Gain gain = Gain::linear;
  /// False: a list's order is taken as it is. True: each metric is its mean over all orders of equal scores within the
  /// list (McSherry and Najork, "Computing information retrieval performance measures efficiently in the presence of
  /// tied scores", ECIR 2008); needs scores.
  bool average_ties = false;
};

/// Every metric at every cutoff for every list: [metrics, cutoffs, n] row-major. Row u of `relevant` [n_users, n_items]
/// holds the relevant items of user u: the stored entries above zero. A user without relevant items, or without a list,
/// gets 0. O(n (depth log |R| + metrics x cutoffs x max k)).
///
/// Throws Error{invalid_argument} naming the argument and the user: shapes that do not fit, columns of a row that do
/// not rise, a value that is not finite, an id outside [-1, n_items), an id twice in a list or after its end, scores
/// that rise or are NaN, a cutoff below 1, a value above 512 with exponential gain. Rows of other users are not looked
/// at.
[[nodiscard]] std::vector<double> ranking_metrics(const RankedLists& lists, const CsrView& relevant,
                                                  const RankingMetricsParams& params, const Execution& execution);

/// The area under the ROC curve of every list: the share of pairs (relevant, irrelevant candidate) in which the
/// relevant item has the higher score, equal scores counting one half. Candidates are the items not in the user's row
/// of `excluded` [n_users, n_items], or all where it is null. Candidates that a list lacks tie with each other below
/// it. 0.5 where one of the two sides is empty. Needs scores. O(n depth log |R|).
///
/// Throws as ranking_metrics does, and for a listed item that is excluded.
[[nodiscard]] std::vector<double> ranking_auc(const RankedLists& lists, const CsrView& relevant,
                                              const CsrPattern* excluded, const Execution& execution);

}  // namespace recocore
