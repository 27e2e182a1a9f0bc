// The score of one query and one item, as it is returned.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>

#include "kernels/dense/kernel.hpp"
#include "recocore/topk.hpp"

namespace recocore {

/// The one place that says what a score is, to the bit: every way of searching ends here.
class Scorer {
 public:
  explicit Scorer(const TopkProblem& problem)
      : items_(problem.items),
        biases_(problem.biases),
        codes_(problem.codes),
        metric_(problem.metric),
        kernel_(&kernels::dense()) {}

  [[nodiscard]] float operator()(std::span<const float> query, std::int32_t item) const noexcept {
    if (metric_ == Metric::euclidean) return with_bias(distance(query, item), item);
    return of_product(query, item, kernel_->dot_f32(query.data(), row(item), items_.cols));
  }

  /// The scores of several items.
  void operator()(std::span<const float> query, std::span<const std::int32_t> items, float* scores) const noexcept {
    if (metric_ == Metric::euclidean) {
      for (std::size_t i = 0; i < items.size(); ++i) scores[i] = with_bias(distance(query, items[i]), items[i]);
      return;
    }
    kernel_->dot_rows_f32(query.data(), items_.data, items_.stride, items.data(), std::ssize(items), items_.cols,
                          scores);
    if (metric_ == Metric::cosine || !biases_.empty())
      for (std::size_t i = 0; i < items.size(); ++i) scores[i] = of_product(query, items[i], scores[i]);
  }

  /// Asks the memory for an item that is scored soon.
  void prefetch(std::int32_t item) const noexcept {
    constexpr std::int64_t kCacheLine = 64 / sizeof(float);
    const float* values = row(item);
    // Beyond a few lines the hardware has seen where it goes.
    for (std::int64_t d = 0; d < items_.cols && d < 8 * kCacheLine; d += kCacheLine) __builtin_prefetch(values + d);
  }

 private:
  [[nodiscard]] const float* row(std::int32_t item) const noexcept { return items_.data + item * items_.stride; }

  [[nodiscard]] float distance(std::span<const float> query, std::int32_t item) const noexcept {
    return -kernel_->squared_distance_f32(query.data(), row(item), items_.cols);
  }

  [[nodiscard]] float with_bias(float score, std::int32_t item) const noexcept {
    return biases_.empty() ? score : score + biases_[static_cast<std::size_t>(item)];
  }

  [[nodiscard]] float of_product(std::span<const float> query, std::int32_t item, float product) const noexcept {
    return with_bias(metric_ == Metric::cosine ? cosine(query, item, product) : product, item);
  }

  /// The cosine of a query of length 1 from its product with an item.
  [[nodiscard]] float cosine(std::span<const float> query, std::int32_t item, float product) const noexcept {
    const float length = codes_->lengths[static_cast<std::size_t>(codes_->positions[static_cast<std::size_t>(item)])];
    if (length > 0x1p-80F) return product / length;
    // Near the smallest float products lose their digits, and the length does.
    double sum = 0;
    double squared = 0;
    for (std::size_t d = 0; d < query.size(); ++d) {
      const double value = row(item)[d];
      sum += query[d] * value;
      squared += value * value;
    }
    return squared > 0 ? static_cast<float>(sum / std::sqrt(squared)) : 0;
  }

  MatrixView<const float> items_;
  std::span<const float> biases_;
  const ItemCodes* codes_;
  Metric metric_;
  const kernels::DenseKernels* kernel_;
};

}  // namespace recocore
