// How far a scan's sums may lie from the scores of a query.
//
// Scans work on the linear scale, where the pair of query q and item y stands at q.y + bias: that is the score for
// inner products, and for cosines with items of length 1; for distances, with -|y|^2 / 2 for bias, it is (score +
// |q|^2) / 2.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>

#include "recocore/topk.hpp"

namespace recocore {

/// What holds for all items.
struct ItemBounds {
  double length = 0;    ///< the greatest, 1 for cosines
  double bias = 0;      ///< the greatest magnitude, on the linear scale
  double top_bias = 0;  ///< the greatest, or 0
};

/// One step of float32 rounding, relative.
inline constexpr double kRounding = 0x1p-24;
/// Room for the rounding of the few operations that the bounds themselves take, relative.
inline constexpr double kMargin = 0x1p-20;

/// What has no value of at least this size is not coded: its codes are zeros, and all of it is their error. A smaller
/// scale would not be a normal float.
inline constexpr float kLeastCoded = 0x1p-100F;

/// Adding this and taking it off again rounds to the nearest whole number, as a vector loop.
inline constexpr float kRound = 0x1.8p23F;

/// The greatest magnitude of a vector's values.
inline float largest_of(std::span<const float> values) noexcept {
  float largest = 0;
  for (const float v : values) largest = std::max(largest, std::fabs(v));
  return largest;
}

/// The square of a vector's length.
inline double squared_length(std::span<const float> values) noexcept {
  // Four sums, so that the compiler may take them together; the order is fixed.
  double sums[4] = {};
  std::size_t d = 0;
  for (; d + 4 <= values.size(); d += 4)
    for (std::size_t i = 0; i < 4; ++i) sums[i] += static_cast<double>(values[d + i]) * values[d + i];
  for (; d < values.size(); ++d) sums[0] += static_cast<double>(values[d]) * values[d];
  return sums[0] + sums[1] + sums[2] + sums[3];
}

/// What a sum of f products may gain or lose by rounding, in any order and against any other order, over the product of
/// the lengths (Higham, Accuracy and Stability of Numerical Algorithms, 2002, eq. 3.5, twice, and the bounds' own).
inline double sum_rounding(std::int64_t f) noexcept {
  return 2.1 * static_cast<double>(f + 8) * kRounding;
}

/// The lengths of a query, and the conversions between scores and its linear scale.
class QueryBounds {
 public:
  QueryBounds() = default;
  QueryBounds(std::span<const float> query, Metric metric, const ItemBounds& items) noexcept
      : metric_(metric), squared_(squared_length(query)) {
    length_ = std::sqrt(squared_);
    const auto f = std::ssize(query);
    // Products below the smallest float round by absolute steps.
    rounding_ = static_cast<double>(f + 2) * 0x1p-148 + kMargin * items.bias;
    largest_ = length_ * items.length + items.bias;
    if (metric == Metric::euclidean) {
      rounding_ += 4 * sum_rounding(f) * (squared_ + items.length * items.length);
      largest_ += squared_ + items.length * items.length;
    }
    // A float's sum starts at the bias, so every addition may round by as much as that is large.
    sum_rounding_ = sum_rounding(f) * (length_ * items.length + items.bias);
  }

  [[nodiscard]] double length() const noexcept { return length_; }

  /// Whether the bounds hold: no sum can overflow, and the query is not so short that its values lose their digits.
  [[nodiscard]] bool bounded() const noexcept { return largest_ < 1e37 && (length_ == 0 || length_ > 0x1p-80); }

  /// How far a position on the linear scale that was computed without error may lie from where the score is.
  [[nodiscard]] double rounding() const noexcept { return rounding_; }

  /// The same for one that was summed up in float32.
  [[nodiscard]] double sum_error() const noexcept { return rounding_ + sum_rounding_; }

  /// The greatest place on the linear scale of an item of at most this length and bias.
  [[nodiscard]] double at_most(double item_length, double bias) const noexcept {
    return (length_ * item_length + bias) * (1 + kMargin) + sum_error();
  }

  /// Where a score lies on the linear scale; -inf where it is -inf.
  [[nodiscard]] double linear(float score) const noexcept {
    return metric_ != Metric::euclidean ? score : (static_cast<double>(score) + squared_) / 2;
  }

 private:
  Metric metric_ = Metric::inner_product;
  double squared_ = 0;
  double length_ = 0;
  double rounding_ = 0;
  double sum_rounding_ = 0;
  double largest_ = 0;
};

}  // namespace recocore
