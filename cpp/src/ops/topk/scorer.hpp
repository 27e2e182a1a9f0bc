// The score of one query and one item, as it is returned.
#pragma once

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
    const float* row = items_.data + item * items_.stride;
    if (metric_ == Metric::euclidean) return -kernel_->squared_distance_f32(query.data(), row, items_.cols);
    const float product = kernel_->dot_f32(query.data(), row, items_.cols);
    if (metric_ == Metric::cosine) {
      const float length = codes_->lengths[static_cast<std::size_t>(codes_->positions[static_cast<std::size_t>(item)])];
      return length > 0 ? product / length : 0;
    }
    return biases_.empty() ? product : product + biases_[static_cast<std::size_t>(item)];
  }

  /// Asks the memory for an item that is scored soon.
  void prefetch(std::int32_t item) const noexcept {
    constexpr std::int64_t kCacheLine = 64 / sizeof(float);
    const float* row = items_.data + item * items_.stride;
    // Beyond a few lines the hardware has seen where it goes.
    for (std::int64_t d = 0; d < items_.cols && d < 8 * kCacheLine; d += kCacheLine) __builtin_prefetch(row + d);
  }

 private:
  MatrixView<const float> items_;
  std::span<const float> biases_;
  const ItemCodes* codes_;
  Metric metric_;
  const kernels::DenseKernels* kernel_;
};

}  // namespace recocore
