#include "ranking_metrics_cpu.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>

#include "ranked_list_reader.hpp"
#include "recocore/error.hpp"

namespace recocore::cpu {
namespace {

using Groups = std::span<const TieGroup>;

constexpr std::int64_t kListsAtATime = 64;
constexpr float kLargestExponent = 512.0F;  // 2^512 times any number of items is finite in a double

std::size_t at(std::int64_t i) {
  return static_cast<std::size_t>(i);
}
double real(std::int64_t i) {
  return static_cast<double>(i);
}

/// How many of a group's places are among the first k.
std::int64_t places(const TieGroup& group, std::int64_t k) {
  return std::min(group.size, k - group.begin);
}

// Each of these is the mean over the orders within groups (McSherry and Najork 2008); groups of one item give the plain
// metric.

double hits(Groups groups, std::int64_t k) {
  double sum = 0.0;
  for (const TieGroup& group : groups) {
    if (group.begin >= k) break;
    sum += real(group.relevant * places(group, k)) / real(group.size);
  }
  return sum;
}

double hit_chance(Groups groups, std::int64_t k) {
  double missed = 1.0;
  for (const TieGroup& group : groups) {
    if (group.begin >= k) break;
    const std::int64_t irrelevant = group.size - group.relevant;
    for (std::int64_t j = 0; j < places(group, k) && group.relevant > 0; ++j)
      missed *= real(std::max<std::int64_t>(0, irrelevant - j)) / real(group.size - j);
  }
  return 1.0 - missed;
}

double reciprocal_rank(Groups groups, std::int64_t k) {
  for (const TieGroup& group : groups) {
    if (group.begin >= k) break;
    if (group.relevant == 0) continue;
    double sum = 0.0;
    double chance = real(group.relevant) / real(group.size);  // that the group's first relevant item is its j-th
    for (std::int64_t j = 1; j <= places(group, k); ++j) {
      sum += chance / real(group.begin + j);
      if (j < group.size) chance *= real(group.size - j - group.relevant + 1) / real(group.size - j);
    }
    return sum;
  }
  return 0.0;
}

double precision_sum(Groups groups, std::int64_t k) {
  double sum = 0.0;
  std::int64_t above = 0;
  for (const TieGroup& group : groups) {
    if (group.begin >= k) break;
    if (group.relevant > 0) {
      const double chance = real(group.relevant) / real(group.size);
      // Given that the j-th is relevant, the others are spread evenly over the remaining places.
      const double others = group.size > 1 ? real(group.relevant - 1) / real(group.size - 1) : 0.0;
      for (std::int64_t j = 1; j <= places(group, k); ++j)
        sum += chance * (real(above + 1) + real(j - 1) * others) / real(group.begin + j);
    }
    above += group.relevant;
  }
  return sum;
}

/// The sum of weight / log2(rank + 1), where a group's weight is shared evenly by its places.
template <typename Weight>
double discounted(Groups groups, std::int64_t k, std::span<const double> discounts, const Weight& weight) {
  double sum = 0.0;
  for (const TieGroup& group : groups) {
    if (group.begin >= k) break;
    const double share = weight(group) / real(group.size);
    if (share == 0.0) continue;
    for (std::int64_t j = 0; j < places(group, k); ++j) sum += share * discounts[at(group.begin + j)];
  }
  return sum;
}

/// What is known of a user beside the list.
struct Truth {
  std::int64_t relevant = 0;
  std::vector<double> gains;  // falling; filled only for ndcg_graded

  void read(const MarkedItems& row, Gain gain, bool graded) {
    relevant = 0;
    gains.clear();
    for (const float value : row.values) {
      if (!(value > 0.0F)) continue;
      ++relevant;
      if (!graded) continue;
      require(gain == Gain::linear || value <= kLargestExponent, [&] {
        return "relevant: expected values up to 512 with exponential gain, got " + std::to_string(value) +
               "; use linear gain or scale them";
      });
      gains.push_back(gain_of(value, gain));
    }
    std::sort(gains.begin(), gains.end(), std::greater<>());
  }
};

double measure(RankingMetric metric, Groups groups, const Truth& truth, std::int64_t k,
               std::span<const double> discounts) {
  if (truth.relevant == 0) return 0.0;
  const std::int64_t reachable = std::min(k, truth.relevant);
  switch (metric) {
    case RankingMetric::recall: return hits(groups, k) / real(truth.relevant);
    case RankingMetric::capped_recall: return hits(groups, k) / real(reachable);
    case RankingMetric::precision: return hits(groups, k) / real(k);
    case RankingMetric::hit_rate: return hit_chance(groups, k);
    case RankingMetric::map: return precision_sum(groups, k) / real(truth.relevant);
    case RankingMetric::map_capped: return precision_sum(groups, k) / real(reachable);
    case RankingMetric::mrr: return reciprocal_rank(groups, k);
    case RankingMetric::ndcg: {
      double best = 0.0;
      for (std::int64_t i = 0; i < reachable; ++i) best += discounts[at(i)];
      // Sums in another order may pass the best by a rounding.
      return std::min(1.0, discounted(groups, k, discounts, [](const TieGroup& g) { return real(g.relevant); }) / best);
    }
    case RankingMetric::ndcg_graded: {
      double best = 0.0;
      for (std::int64_t i = 0; i < reachable; ++i) best += truth.gains[at(i)] * discounts[at(i)];
      if (best == 0.0) return 0.0;  // gains below the smallest double
      return std::min(1.0, discounted(groups, k, discounts, [](const TieGroup& g) { return g.gain; }) / best);
    }
  }
  return 0.0;
}

template <typename T>
std::vector<T> one_for_each_worker(const Execution& execution, const T& value) {
  return std::vector<T>(at(resolve_threads(execution.num_threads)), value);
}

}  // namespace

std::vector<double> ranking_metrics(const RankedLists& lists, const CsrView& relevant,
                                    const RankingMetricsParams& params, const Execution& execution) {
  const std::int64_t rows = lists.ids.rows;
  const bool graded = std::ranges::find(params.metrics, RankingMetric::ndcg_graded) != params.metrics.end();
  // No list and no set of relevant items is longer than the catalogue.
  const std::int64_t deepest = params.cutoffs.empty() ? 0 : std::min(std::ranges::max(params.cutoffs), relevant.cols);
  std::vector<double> discounts(at(deepest));
  for (std::int64_t i = 0; i < deepest; ++i) discounts[at(i)] = 1.0 / std::log2(real(i + 2));

  std::vector<double> out(params.metrics.size() * params.cutoffs.size() * at(rows));
  auto readers = one_for_each_worker(execution, RankedListReader(relevant.cols));
  auto truths = one_for_each_worker(execution, Truth{});
  parallel_for(execution, rows, kListsAtATime, [&](std::int64_t begin, std::int64_t end, int worker) {
    Truth& truth = truths[at(worker)];
    for (std::int64_t row = begin; row < end; ++row) {
      const MarkedItems wanted = checked_row(relevant, lists.users[at(row)], "relevant");
      const Groups groups = readers[at(worker)].read(lists, row, wanted, {}, params.gain, params.average_ties);
      truth.read(wanted, params.gain, graded);
      std::size_t to = at(row);
      for (const RankingMetric metric : params.metrics) {
        for (const std::int64_t k : params.cutoffs) {
          out[to] = measure(metric, groups, truth, k, discounts);
          to += at(rows);
        }
      }
    }
  });
  return out;
}

std::vector<double> ranking_auc(const RankedLists& lists, const CsrView& relevant, const CsrPattern* excluded,
                                const Execution& execution) {
  std::vector<double> out(at(lists.ids.rows));
  auto readers = one_for_each_worker(execution, RankedListReader(relevant.cols));
  parallel_for(execution, lists.ids.rows, 1, [&](std::int64_t begin, std::int64_t end, int worker) {
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int32_t user = lists.users[at(row)];
      const MarkedItems wanted = checked_row(relevant, user, "relevant");
      std::span<const std::int32_t> barred;
      if (excluded != nullptr) barred = checked_items(*excluded, user, "excluded");
      std::int64_t positives = 0;
      for (std::size_t e = 0; e < wanted.items.size(); ++e) {
        const bool counts = wanted.values[e] > 0.0F;
        if (counts && !std::binary_search(barred.begin(), barred.end(), wanted.items[e])) ++positives;
      }
      const std::int64_t negatives = relevant.cols - std::ssize(barred) - positives;

      // In halves of a pair, so that the sum is exact: positives x negatives stays below 2^60.
      std::int64_t halves = 0;
      std::int64_t positives_left = positives;
      std::int64_t negatives_left = negatives;
      for (const TieGroup& group : readers[at(worker)].read(lists, row, wanted, barred, Gain::linear, true)) {
        const std::int64_t tied = group.size - group.relevant;
        negatives_left -= tied;
        positives_left -= group.relevant;
        halves += group.relevant * (2 * negatives_left + tied);
      }
      halves += positives_left * negatives_left;
      const double pairs = real(positives) * real(negatives);
      out[at(row)] = pairs == 0.0 ? 0.5 : 0.5 * real(halves) / pairs;
    }
  });
  return out;
}

}  // namespace recocore::cpu
