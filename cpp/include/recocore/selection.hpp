#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace recocore {

/// What a row is padded with when it has fewer than k candidates.
inline constexpr std::int32_t kPadId = -1;
inline constexpr float kPadScore = -std::numeric_limits<float>::infinity();

/// Keeps the k best of the candidates offered: score descending, then id ascending, so neither the order of the offers
/// nor the way they are split over threads matters. A NaN score is skipped; -0.0 and +0.0 are equal. Scores are float32
/// here, as they are returned: a selection on wider scores could leave returned ties out of order.
///
/// Each id may be offered once in a selection. Scratch for many selections in turn: memory stays from one to the next.
/// O(log k) an offer that is kept, O(1) one that is not.
class TopkSelector {
 public:
  /// Keep everything: no bound on the number of candidates.
  static constexpr std::int64_t kUnbounded = std::numeric_limits<std::int64_t>::max();

  /// `k` must not be negative; it may be far above the number of candidates, memory follows what is kept.
  explicit TopkSelector(std::int64_t k) noexcept : k_(static_cast<std::size_t>(k)) {}

  void offer(float score, std::int32_t id) {
    if (kept_.size() == k_) {
      if (kept_.empty() || !better({score, id}, kept_.front())) return;
      std::pop_heap(kept_.begin(), kept_.end(), better);
      kept_.back() = {score, id};
      std::push_heap(kept_.begin(), kept_.end(), better);
    } else if (!std::isnan(score)) {
      kept_.push_back({score, id});
      if (kept_.size() == k_) std::make_heap(kept_.begin(), kept_.end(), better);
    }
  }

  /// The number of candidates kept so far.
  [[nodiscard]] std::size_t size() const noexcept { return kept_.size(); }

  /// A candidate below this score is certainly not kept; -inf until k candidates are.
  [[nodiscard]] float bound() const noexcept {
    return kept_.empty() || kept_.size() < k_ ? kPadScore : kept_.front().score;
  }

  /// Writes the kept candidates best first, pads the rest of both spans and starts the next selection.
  /// The spans have the same size, at least size().
  void take_sorted(std::span<std::int32_t> ids, std::span<float> scores) {
    std::sort(kept_.begin(), kept_.end(), better);
    for (std::size_t i = 0; i < kept_.size(); ++i) {
      ids[i] = kept_[i].id;
      scores[i] = kept_[i].score;
    }
    std::fill(ids.begin() + std::ssize(kept_), ids.end(), kPadId);
    std::fill(scores.begin() + std::ssize(kept_), scores.end(), kPadScore);
    kept_.clear();
  }

  /// Appends the kept candidates with ids rising, as a CSR row stores them, and starts the next selection.
  void append_by_id(std::vector<std::int32_t>& ids, std::vector<float>& scores) {
    std::sort(kept_.begin(), kept_.end(), [](const Candidate& a, const Candidate& b) { return a.id < b.id; });
    for (const Candidate& candidate : kept_) {
      ids.push_back(candidate.id);
      scores.push_back(candidate.score);
    }
    kept_.clear();
  }

 private:
  struct Candidate {
    float score;
    std::int32_t id;
  };

  /// The total order; as a heap's "less" it puts the worst kept candidate in front. False for a NaN on the left.
  static bool better(const Candidate& a, const Candidate& b) noexcept {
    return a.score > b.score || (a.score == b.score && a.id < b.id);
  }

  std::size_t k_;
  std::vector<Candidate> kept_;  // a heap once k are kept, before that in order of arrival
};

}  // namespace recocore
