// Exact top-k by a scan that looks closer only at what its bounds let through.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "ops/topk/query_bounds.hpp"
#include "recocore/topk.hpp"

namespace recocore {

/// What a scan goes through, and in what pieces.
struct ScanPlan {
  ItemBounds bounds;                     ///< of all items
  std::span<const std::int32_t> listed;  ///< positions to look at; empty for all
  bool rising = true;                    ///< whether `listed` is, so that lengths fall
  std::int64_t positions = 0;            ///< how many there are to look at
  std::int64_t chunk = 0;                ///< queries scanned together
  std::int64_t slices = 1;               ///< parts of the items that may be scanned at once
};

void scan_floats(const TopkProblem& problem, const CandidateFilter& filter, const ScanPlan& plan,
                 MatrixView<std::int32_t> ids, MatrixView<float> scores, const Execution& execution);

/// `problem` has codes.
void scan_codes(const TopkProblem& problem, const CandidateFilter& filter, const ScanPlan& plan,
                MatrixView<std::int32_t> ids, MatrixView<float> scores, const Execution& execution);

/// The same of lists of positions in any order, each for one query, one after the other. For one thread.
class ListScan {
 public:
  /// The problem, which has codes, and the filter must outlive this; `k` is how many may come back.
  ListScan(const TopkProblem& problem, const CandidateFilter& filter, const ItemBounds& bounds, std::int64_t k);
  ListScan(ListScan&&) noexcept;
  ListScan& operator=(ListScan&&) noexcept;
  ~ListScan();

  /// Ranks the items at `positions`, none of them twice, at least one.
  void operator()(std::int64_t query, std::span<const std::int32_t> positions, std::span<std::int32_t> ids,
                  std::span<float> scores);

 private:
  struct Work;
  std::unique_ptr<Work> work_;
};

}  // namespace recocore
