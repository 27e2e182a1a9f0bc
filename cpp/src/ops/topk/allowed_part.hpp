// A catalogue of few allowed items, side by side.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "recocore/topk.hpp"

namespace recocore {

/// The items of a problem that a shared allow-list names and nothing blocks, numbered anew in the same order, in memory
/// of their own: scattered over a large catalogue they lie on as many pages. Exclude-lists keep what is among them.
class AllowedPart {
 public:
  /// `filter` has a shared allow-list and no other. O(allowed f + excluded ids) time; allowed (4 f + 4) bytes, 4 for
  /// each item of the whole and 4 for each excluded id that is among the allowed.
  AllowedPart(const TopkProblem& problem, const CandidateFilter& filter);

  /// The part's own; not packed.
  [[nodiscard]] const TopkProblem& problem() const noexcept { return problem_; }
  [[nodiscard]] const CandidateFilter& filter() const noexcept { return filter_; }

  /// Gives ids of the part the numbers that their items have in the whole; pads stay.
  void name(MatrixView<std::int32_t> ids) const noexcept;

 private:
  void gather_items(const TopkProblem& whole);
  void gather_lists(const CandidateFilter& whole, std::int64_t n_items);

  std::vector<std::int32_t> names_;  // of the part's items, rising
  std::vector<float> items_;
  std::vector<float> biases_;
  std::deque<CsrMatrix> lists_;  // views into these stay good
  TopkProblem problem_;
  CandidateFilter filter_;
};

}  // namespace recocore
