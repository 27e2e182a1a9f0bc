// A dense matrix on the device: the caller's, or a copy of the host's.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "cuda/buffer.hpp"
#include "recocore/views.hpp"

namespace recocore::cuda {

/// Rows [first, first + count) of a matrix, packed, on the device.
[[nodiscard]] inline Buffer<float> upload_rows(MatrixView<const float> matrix, std::int64_t first, std::int64_t count,
                                               StreamHandle stream) {
  Buffer<float> rows(count * matrix.cols, stream);
  const float* from = matrix.data + first * matrix.stride;
  if (matrix.stride == matrix.cols) {
    rows.upload({from, static_cast<std::size_t>(rows.size())});
    return rows;
  }
  std::vector<float> packed(static_cast<std::size_t>(rows.size()));
  for (std::int64_t r = 0; r < count; ++r)
    std::copy_n(from + r * matrix.stride, matrix.cols, packed.data() + r * matrix.cols);
  rows.upload(packed);
  synchronize(stream);  // before what it is copied from is gone
  return rows;
}

/// The reverse: packed rows on the device to rows of a matrix of the host.
inline void download_rows(const Buffer<float>& rows, MatrixView<float> matrix, std::int64_t first, std::int64_t count) {
  if (matrix.stride == matrix.cols) {
    rows.download({matrix.data + first * matrix.stride, static_cast<std::size_t>(count * matrix.cols)});
    return;
  }
  std::vector<float> packed(static_cast<std::size_t>(count * matrix.cols));
  rows.download(packed);
  for (std::int64_t r = 0; r < count; ++r)
    std::copy_n(packed.data() + r * matrix.cols, matrix.cols, matrix.row(first + r).data());
}

/// A whole matrix on the device.
class DeviceMatrix {
 public:
  /// Refers to it where it lies on the device already, and copies it where not.
  DeviceMatrix(MatrixView<const float> matrix, bool on_device, StreamHandle stream)
      : copy_(on_device ? Buffer<float>() : upload_rows(matrix, 0, matrix.rows, stream)),
        data_(on_device ? matrix.data : copy_.data()),
        stride_(on_device ? matrix.stride : matrix.cols) {}

  [[nodiscard]] const float* data() const noexcept { return data_; }
  [[nodiscard]] std::int64_t stride() const noexcept { return stride_; }

 private:
  Buffer<float> copy_;
  const float* data_;
  std::int64_t stride_;
};

}  // namespace recocore::cuda
