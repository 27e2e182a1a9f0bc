// Exact top-k by a scan that looks closer only at what its bounds let through.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ops/topk/query_bounds.hpp"
#include "recocore/topk.hpp"

namespace recocore {

/// What a scan goes through, and in what pieces.
struct ScanPlan {
  ItemBounds bounds;                     ///< of all items
  std::span<const std::int32_t> listed;  ///< positions to look at, rising; empty for all
  std::int64_t positions = 0;            ///< how many there are to look at
  std::int64_t chunk = 0;                ///< queries scanned together
  std::int64_t slices = 1;               ///< parts of the items that may be scanned at once
};

void scan_floats(const TopkProblem& problem, const CandidateFilter& filter, const ScanPlan& plan,
                 MatrixView<std::int32_t> ids, MatrixView<float> scores, const Execution& execution);

/// `problem` has codes.
void scan_codes(const TopkProblem& problem, const CandidateFilter& filter, const ScanPlan& plan,
                MatrixView<std::int32_t> ids, MatrixView<float> scores, const Execution& execution);

}  // namespace recocore
