// The fixed factors of an ALS half-epoch on the device, and their Gram matrix.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "cuda/buffer.hpp"
#include "cuda/matrix.hpp"
#include "cuda/stream.hpp"
#include "ops/cuda/als_rows.cuh"
#include "ops/symmetric_eigen.hpp"

namespace recocore::cuda {

// The stretches of a Gram matrix, and the floats that their sums may take (256 MiB).
inline constexpr std::int64_t kMostStretches = 64;
inline constexpr std::int64_t kShortestStretch = 1024;
inline constexpr std::int64_t kPartialFloats = 67'108'864;

inline std::size_t at(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

inline std::int64_t blocks_for(std::int64_t threads) {
  return (threads + kThreads - 1) / kThreads;
}

inline std::int64_t tiles_for(std::int64_t rows, std::int64_t cols) {
  return (rows + kTile - 1) / kTile * ((cols + kTile - 1) / kTile);
}

/// out [width, width] = scale * sum of w y y^T, both triangles.
inline void sum_outer_products(const WeighedRows& from, float scale, float* out, StreamHandle stream) {
  const std::int64_t room = std::max<std::int64_t>(1, kPartialFloats / (from.width * from.width));
  const std::int64_t most = std::clamp<std::int64_t>((from.count + kShortestStretch - 1) / kShortestStretch, 1,
                                                     std::min(room, kMostStretches));
  const std::int64_t length = std::max<std::int64_t>(1, (from.count + most - 1) / most);
  const std::int64_t stretches = std::max<std::int64_t>(1, (from.count + length - 1) / length);
  const Buffer<float> partial(stretches * from.width * from.width, stream);
  launch(sum_stretches, stretches * tiles_of_triangle(from.width), stream, from, stretches, length, partial.data());
  launch(add_stretches, blocks_for(from.width * from.width), stream, partial.data(), stretches, from.width, scale, out,
         from.width);
}

/// The fixed factors and alpha0 times their Gram matrix, in the given basis or in that matrix's eigenbasis.
class AlsBasis {
 public:
  AlsBasis(MatrixView<const float> fixed, std::span<const std::int32_t> counted, float alpha0, bool wants_rotation,
           const Execution& execution, StreamHandle stream)
      : width_(fixed.cols), stream_(stream), given_(fixed, execution.memory == Memory::device, stream) {
    std::vector<double> diagonal(at(width_), 0.0);
    std::vector<float> gram(at(width_ * width_));
    if (alpha0 > 0) {
      const Buffer<std::int32_t> rows = uploaded<std::int32_t>(counted, stream);
      Buffer<float> sums(width_ * width_, stream);
      const std::int64_t count = counted.empty() ? fixed.rows : std::ssize(counted);
      sum_outer_products(
          {given_.data(), given_.stride(), width_, counted.empty() ? nullptr : rows.data(), nullptr, count}, 1.0F,
          sums.data(), stream);
      sums.download(gram);
    }
    const bool finite = std::all_of(gram.begin(), gram.end(), [](float v) { return std::isfinite(v); });
    rotated_ = finite && (wants_rotation || alpha0 == 0);
    if (rotated_ && alpha0 > 0) {
      find_eigenbasis(gram, alpha0, diagonal, execution);
      fixed_ = Buffer<float>(fixed.rows * width_, stream);
      turn(given_.data(), given_.stride(), fixed.rows, to_basis_, fixed_.data(), width_);
    } else {
      pack(fixed);
      for (float& v : gram) v *= alpha0;
      for (std::int64_t i = 0; i < width_; ++i) diagonal[at(i)] = double{gram[at(i * width_ + i)]};
      if (!rotated_) dense_ = uploaded<float>(gram, stream);
    }
    least_ = *std::min_element(diagonal.begin(), diagonal.end());
    most_ = *std::max_element(diagonal.begin(), diagonal.end());
    diagonal_ = uploaded<double>(diagonal, stream);
    synchronize(stream);  // what was copied from ends here
  }

  [[nodiscard]] AlsBasisView view() const {
    return {fixed_.size() > 0 ? fixed_.data() : given_.data(), width_, rotated_ ? nullptr : dense_.data(),
            diagonal_.data()};
  }
  [[nodiscard]] bool is_rotated() const noexcept { return rotated_; }
  [[nodiscard]] double least() const noexcept { return least_; }
  [[nodiscard]] double most() const noexcept { return most_; }

  /// Rows of factors into this basis, and out of it.
  void enter(const float* rows, std::int64_t stride, std::int64_t count, float* out) const {
    turn(rows, stride, count, to_basis_, out, width_);
  }
  void leave(const float* rows, std::int64_t count, float* out, std::int64_t out_stride) const {
    turn(rows, width_, count, from_basis_, out, out_stride);
  }

 private:
  void find_eigenbasis(const std::vector<float>& gram, float alpha0, std::vector<double>& diagonal,
                       const Execution& execution) {
    const SymmetricEigen eigen =
        symmetric_eigen({gram.data(), width_, width_}, {execution.num_threads, execution.monitor});
    std::vector<float> to(at(width_ * width_));
    std::vector<float> from(at(width_ * width_));
    for (std::int64_t k = 0; k < width_; ++k) {
      diagonal[at(k)] = double{alpha0} * std::max(0.0, eigen.values[at(k)]);
      for (std::int64_t i = 0; i < width_; ++i) {
        const auto v = static_cast<float>(eigen.vectors[at(k * eigen.stride + i)]);
        to[at(i * width_ + k)] = v;
        from[at(k * width_ + i)] = v;
      }
    }
    to_basis_ = uploaded<float>(to, stream_);
    from_basis_ = uploaded<float>(from, stream_);
    synchronize(stream_);
  }

  /// Rows next to each other, as the kernels read them.
  void pack(MatrixView<const float> fixed) {
    if (given_.stride() == width_) return;
    fixed_ = Buffer<float>(fixed.rows * width_, stream_);
    turn(given_.data(), given_.stride(), fixed.rows, {}, fixed_.data(), width_);
  }

  /// Without a matrix it copies.
  void turn(const float* rows, std::int64_t stride, std::int64_t count, const Buffer<float>& matrix, float* out,
            std::int64_t out_stride) const {
    if (matrix.size() > 0)
      launch(turn_rows, tiles_for(count, width_), stream_, rows, stride, count, width_, matrix.data(), out, out_stride);
    else
      launch(copy_rows, blocks_for(count * width_), stream_, rows, stride, count, width_, out, out_stride);
  }

  std::int64_t width_;
  StreamHandle stream_;
  DeviceMatrix given_;
  Buffer<float> fixed_;
  Buffer<float> dense_;
  Buffer<double> diagonal_;
  Buffer<float> to_basis_;
  Buffer<float> from_basis_;
  bool rotated_ = false;
  double least_ = 0;
  double most_ = 0;
};

}  // namespace recocore::cuda
