// The best items found so far for one query.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "ops/topk/query_bounds.hpp"
#include "recocore/selection.hpp"

namespace recocore {

/// Keeps the k best of the items offered, and some more until it is worth dropping them. As better ones come the bar
/// rises: the least place on the linear scale from which an item may still come back. Memory O(k).
class Reservoir {
 public:
  explicit Reservoir(std::int64_t k) : k_(static_cast<std::size_t>(k)) {}

  /// Begins a query, whose results may not score less than `threshold`. Memory stays from one to the next.
  void start(float threshold, const QueryBounds& bounds) {
    bounds_ = bounds;
    found_.clear();
    checked_ = 0;
    least_ = threshold;
    bar_ = place_below(threshold);
  }

  [[nodiscard]] const QueryBounds& bounds() const noexcept { return bounds_; }
  [[nodiscard]] float bar() const noexcept { return bar_; }

  /// Takes an item, each once; whether it is time to tighten(). A score that is not a number is passed over.
  bool offer(float score, std::int32_t item) {
    if (!(score >= least_)) return false;
    found_.push_back({score, item});
    // Room for half as many again: each is looked at a few times at most, and the bar rises early. With k = 100 of
    // 100,000 items 1,370 pass per query; with room for as many again 1,680 do.
    return found_.size() >= k_ + k_ / 2 + kRoom;
  }

  /// Drops what excluded(item) names and all but the k best, and raises the bar.
  template <typename Excluded>
  void tighten(const Excluded& excluded) {
    const auto unchecked = found_.begin() + static_cast<std::ptrdiff_t>(checked_);
    found_.erase(std::remove_if(unchecked, found_.end(), [&](const Found& f) { return excluded(f.item); }),
                 found_.end());
    if (found_.size() >= k_) {
      std::nth_element(found_.begin(), found_.begin() + static_cast<std::ptrdiff_t>(k_) - 1, found_.end(), better);
      found_.resize(k_);
      least_ = std::max(least_, found_.back().score);
      bar_ = std::max(bar_, place_below(least_));
    }
    checked_ = found_.size();
  }

  /// Takes note that k items which may come back lie at `place` of the linear scale or above, but for rounding; whether
  /// that raises the bar.
  bool raise(double place) noexcept {
    if (!std::isfinite(place)) return false;
    const auto bar = static_cast<float>(place - 2 * bounds_.rounding() - 2 * kMargin * std::fabs(place));
    if (!(bar > bar_)) return false;
    bar_ = bar;
    return true;
  }

  /// Takes over what another part of the scan found; both have been tightened.
  void merge(const Reservoir& other) { found_.insert(found_.end(), other.found_.begin(), other.found_.end()); }

  /// Writes the k best, best first, and pads.
  void finish(std::span<std::int32_t> ids, std::span<float> scores) {
    std::sort(found_.begin(), found_.end(), better);
    const std::size_t count = std::min(k_, found_.size());
    for (std::size_t i = 0; i < count; ++i) {
      ids[i] = found_[i].item;
      scores[i] = found_[i].score;
    }
    std::fill(ids.begin() + static_cast<std::ptrdiff_t>(count), ids.end(), kPadId);
    std::fill(scores.begin() + static_cast<std::ptrdiff_t>(count), scores.end(), kPadScore);
  }

 private:
  // The 10 best of 100,000 items for 5,000 queries, one thread: 274 ms with 32, 247 with 16, 248 with 8.
  static constexpr std::size_t kRoom = 16;

  struct Found {
    float score;
    std::int32_t item;
  };

  static bool better(const Found& a, const Found& b) noexcept {
    return a.score > b.score || (a.score == b.score && a.item < b.item);
  }

  /// Safely below where a score lies on the linear scale.
  [[nodiscard]] float place_below(float score) const noexcept {
    if (std::isinf(score)) return score;
    const double place = bounds_.linear(score);
    return static_cast<float>(place - bounds_.rounding() - kMargin * std::fabs(place));
  }

  std::size_t k_;
  QueryBounds bounds_;
  std::vector<Found> found_;
  std::size_t checked_ = 0;  // so many of them have passed the exclusions
  float least_ = kPadScore;  // the score of the last of the k best, or the threshold
  float bar_ = kPadScore;
};

}  // namespace recocore
