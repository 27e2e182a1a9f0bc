#include "ops/topk/direct.hpp"

#include <algorithm>
#include <optional>
#include <vector>

#include "base/per_worker.hpp"
#include "ops/topk/exclusions.hpp"
#include "ops/topk/reservoir.hpp"
#include "ops/topk/scan.hpp"
#include "ops/topk/scorer.hpp"
#include "recocore/selection.hpp"

namespace recocore {
namespace {

std::size_t at(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

// Items scored for one query after the other: 48 rows of 128 floats are 24 KiB, which stay in a first-level cache.
constexpr std::int64_t kBlock = 48;
// Queries that share a pass over the items.
constexpr std::int64_t kChunk = 16;

// Items of a query's own list between two looks at whether to stop.
constexpr std::size_t kItemsToCheck = 1024;
// Items of a list, which stand anywhere, that the memory is asked for before they are scored.
constexpr std::size_t kAhead = 4;

float threshold_of(const TopkProblem& problem, std::int64_t query) {
  return problem.thresholds.empty() ? kPadScore : problem.thresholds[at(query)];
}

}  // namespace

void rank_all(const TopkProblem& problem, const CandidateFilter& filter, const std::span<const std::int32_t>* listed,
              std::int64_t slices, MatrixView<std::int32_t> ids, MatrixView<float> scores, const Execution& execution) {
  struct Scratch {
    Exclusions exclusions;
    std::vector<std::int32_t> items;
    std::vector<float> scores;
  };
  const Scorer scorer(problem);
  const std::int64_t n = problem.queries.rows;
  const std::int64_t m = listed == nullptr ? problem.items.rows : std::ssize(*listed);
  const std::int64_t chunks = (n + kChunk - 1) / kChunk;
  PerWorker<Scratch> workers(execution);
  std::vector<std::vector<Reservoir>> parts(at(chunks * slices));
  parallel_for(execution, chunks * slices, 1, [&](std::int64_t begin, std::int64_t end, int worker) {
    Scratch& own = workers.get(worker, [&] {
      return Scratch{Exclusions(filter, problem.items.rows), std::vector<std::int32_t>(at(kBlock)),
                     std::vector<float>(at(kBlock))};
    });
    for (std::int64_t task = begin; task < end; ++task) {
      const std::int64_t first_query = task / slices * kChunk;
      const std::int64_t queries = std::min(kChunk, n - first_query);
      std::vector<Reservoir>& best = parts[at(task)];
      best.assign(at(queries), Reservoir(ids.cols));
      const auto tighten = [&](std::int64_t q) {
        own.exclusions.with(first_query + q, [&](const auto& excluded) { best[at(q)].tighten(excluded); });
      };
      for (std::int64_t q = 0; q < queries; ++q) best[at(q)].start(threshold_of(problem, first_query + q), {});
      const std::int64_t last = m * (task % slices + 1) / slices;
      for (std::int64_t i = m * (task % slices) / slices; i < last; i += kBlock) {
        checkpoint();
        own.items.resize(at(std::min(kBlock, last - i)));
        for (std::int64_t r = 0; r < std::ssize(own.items); ++r)
          own.items[at(r)] = listed == nullptr ? static_cast<std::int32_t>(i + r) : (*listed)[at(i + r)];
        for (std::int64_t q = 0; q < queries; ++q) {
          scorer(problem.queries.row(first_query + q), own.items, own.scores.data());
          for (std::size_t r = 0; r < own.items.size(); ++r)
            if (best[at(q)].offer(own.scores[r], own.items[r])) tighten(q);
        }
      }
      for (std::int64_t q = 0; q < queries; ++q) {
        tighten(q);
        if (slices == 1) best[at(q)].finish(ids.row(first_query + q), scores.row(first_query + q));
      }
      if (slices == 1) best.clear();
    }
  });
  if (slices == 1) return;
  for (std::int64_t q = 0; q < n; ++q) {
    const std::int64_t chunk = q / kChunk;
    Reservoir& whole = parts[at(chunk * slices)][at(q % kChunk)];
    for (std::int64_t slice = 1; slice < slices; ++slice)
      whole.merge(parts[at(chunk * slices + slice)][at(q % kChunk)]);
    whole.finish(ids.row(q), scores.row(q));
  }
}

void rank_allowed(const TopkProblem& problem, const CandidateFilter& filter, const ItemBounds* bounds,
                  bool (*worth_scanning)(std::int64_t k, std::int64_t candidates), MatrixView<std::int32_t> ids,
                  MatrixView<float> scores, const Execution& execution) {
  struct Scratch {
    Exclusions exclusions;
    ItemSet met;                       // what the query's list has named so far
    ItemSet shared;                    // what is allowed to all
    std::vector<std::int32_t> listed;  // of the query's list what may come back: items, or their positions
    TopkSelector best;
    std::optional<ListScan> scan;
  };
  const Scorer scorer(problem);
  const bool some_shared = filter.allow_shared.has_value();
  PerWorker<Scratch> workers(execution);
  parallel_for(execution, problem.queries.rows, 1, [&](std::int64_t begin, std::int64_t end, int worker) {
    Scratch& own = workers.get(worker, [&] {
      Scratch made{Exclusions(filter, problem.items.rows),
                   ItemSet(problem.items.rows),
                   ItemSet(some_shared ? problem.items.rows : 0),
                   {},
                   TopkSelector(ids.cols),
                   {}};
      if (some_shared)
        for (const std::int32_t item : *filter.allow_shared) made.shared.insert(item);
      if (bounds != nullptr) made.scan.emplace(problem, filter, *bounds, ids.cols);
      return made;
    });
    for (std::int64_t q = begin; q < end; ++q) {
      checkpoint();
      const auto candidates = filter.allow->of(q);
      own.listed.clear();
      own.exclusions.with(q, [&](const auto& excluded) {
        for (const std::int32_t item : candidates)
          if (own.met.insert(item) && !excluded(item) && (!some_shared || own.shared.contains(item)))
            own.listed.push_back(item);
      });
      for (const std::int32_t item : candidates) own.met.erase(item);
      if (own.scan && worth_scanning(ids.cols, std::ssize(own.listed))) {
        for (std::int32_t& each : own.listed) each = problem.codes->positions[at(each)];
        (*own.scan)(q, own.listed, ids.row(q), scores.row(q));
        continue;
      }
      const auto query = problem.queries.row(q);
      const float threshold = threshold_of(problem, q);
      for (std::size_t i = 0; i < own.listed.size(); ++i) {
        if (i % kItemsToCheck == 0) checkpoint();
        if (i + kAhead < own.listed.size()) scorer.prefetch(own.listed[i + kAhead]);
        const float score = scorer(query, own.listed[i]);
        if (score >= threshold) own.best.offer(score, own.listed[i]);
      }
      own.best.take_sorted(ids.row(q), scores.row(q));
    }
  });
}

}  // namespace recocore
