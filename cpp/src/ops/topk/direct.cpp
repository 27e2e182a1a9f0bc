#include "ops/topk/direct.hpp"

#include <algorithm>
#include <vector>

#include "base/per_worker.hpp"
#include "ops/topk/exclusions.hpp"
#include "ops/topk/scorer.hpp"
#include "recocore/selection.hpp"

namespace recocore {
namespace {

std::size_t at(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

// Items between two looks at whether to stop.
constexpr std::int64_t kBlock = 1024;

float threshold_of(const TopkProblem& problem, std::int64_t query) {
  return problem.thresholds.empty() ? kPadScore : problem.thresholds[at(query)];
}

}  // namespace

void rank_all(const TopkProblem& problem, const CandidateFilter& filter, const std::span<const std::int32_t>* listed,
              std::int64_t slices, MatrixView<std::int32_t> ids, MatrixView<float> scores, const Execution& execution) {
  const Scorer scorer(problem);
  const std::int64_t n = problem.queries.rows;
  const std::int64_t m = listed == nullptr ? problem.items.rows : std::ssize(*listed);
  PerWorker<Exclusions> exclusions(execution);
  std::vector<TopkSelector> parts(at(n * slices), TopkSelector(ids.cols));
  parallel_for(execution, n * slices, 1, [&](std::int64_t begin, std::int64_t end, int worker) {
    auto& own = exclusions.get(worker, [&] { return Exclusions(filter, problem.items.rows); });
    for (std::int64_t task = begin; task < end; ++task) {
      const std::int64_t q = task / slices;
      const auto query = problem.queries.row(q);
      const float threshold = threshold_of(problem, q);
      TopkSelector& best = parts[at(task)];
      const std::int64_t last = m * (task % slices + 1) / slices;
      own.with(q, [&](const auto& excluded) {
        for (std::int64_t i = m * (task % slices) / slices; i < last; ++i) {
          if (i % kBlock == 0) checkpoint();
          const std::int32_t item = listed == nullptr ? static_cast<std::int32_t>(i) : (*listed)[at(i)];
          const float score = scorer(query, item);
          if (score >= std::max(threshold, best.bound()) && !excluded(item)) best.offer(score, item);
        }
      });
      if (slices == 1) best.take_sorted(ids.row(q), scores.row(q));
    }
  });
  if (slices == 1) return;
  for (std::int64_t q = 0; q < n; ++q) {
    TopkSelector& whole = parts[at(q * slices)];
    for (std::int64_t slice = 1; slice < slices; ++slice) whole.merge(parts[at(q * slices + slice)]);
    whole.take_sorted(ids.row(q), scores.row(q));
  }
}

void rank_allowed(const TopkProblem& problem, const CandidateFilter& filter, MatrixView<std::int32_t> ids,
                  MatrixView<float> scores, const Execution& execution) {
  struct Scratch {
    Exclusions exclusions;
    ItemSet met;     // what the query's list has named so far
    ItemSet shared;  // what is allowed to all
    TopkSelector best;
  };
  const Scorer scorer(problem);
  const bool some_shared = filter.allow_shared.has_value();
  PerWorker<Scratch> workers(execution);
  parallel_for(execution, problem.queries.rows, 1, [&](std::int64_t begin, std::int64_t end, int worker) {
    Scratch& own = workers.get(worker, [&] {
      Scratch made{Exclusions(filter, problem.items.rows), ItemSet(problem.items.rows),
                   ItemSet(some_shared ? problem.items.rows : 0), TopkSelector(ids.cols)};
      if (some_shared)
        for (const std::int32_t item : *filter.allow_shared) made.shared.insert(item);
      return made;
    });
    for (std::int64_t q = begin; q < end; ++q) {
      checkpoint();
      const auto query = problem.queries.row(q);
      const auto candidates = filter.allow->of(q);
      const float threshold = threshold_of(problem, q);
      own.exclusions.with(q, [&](const auto& excluded) {
        for (std::size_t i = 0; i < candidates.size(); ++i) {
          if (i % kBlock == 0) checkpoint();
          const std::int32_t item = candidates[i];
          if (!own.met.insert(item) || excluded(item) || (some_shared && !own.shared.contains(item))) continue;
          const float score = scorer(query, item);
          if (score >= threshold) own.best.offer(score, item);
        }
      });
      for (const std::int32_t item : candidates) own.met.erase(item);
      own.best.take_sorted(ids.row(q), scores.row(q));
    }
  });
}

}  // namespace recocore
