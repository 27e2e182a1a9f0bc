// Exact top-k by scoring every candidate: for a few queries, for candidates of each query's own, and where sums may
// overflow so that nothing bounds them.
#pragma once

#include <cstdint>
#include <span>

#include "ops/topk/query_bounds.hpp"
#include "recocore/topk.hpp"

namespace recocore {

/// Ranks all items, or those of `listed` where it is there, for each query; `slices` parts of them at once.
void rank_all(const TopkProblem& problem, const CandidateFilter& filter, const std::span<const std::int32_t>* listed,
              std::int64_t slices, MatrixView<std::int32_t> ids, MatrixView<float> scores, const Execution& execution);

/// Ranks each query's own candidates; `filter` has allow-lists. With bounds of the items, for problems with codes,
/// lists that are long enough for `worth_scanning(k, candidates)` are scanned and not scored whole.
void rank_allowed(const TopkProblem& problem, const CandidateFilter& filter, const ItemBounds* bounds,
                  bool (*worth_scanning)(std::int64_t k, std::int64_t candidates), MatrixView<std::int32_t> ids,
                  MatrixView<float> scores, const Execution& execution);

}  // namespace recocore
