#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace recocore {

/// A row-major matrix that somebody else owns; rows are `stride` elements apart.
template <typename T>
struct MatrixView {
  T* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t stride = 0;

  MatrixView() = default;
  MatrixView(T* data_, std::int64_t rows_, std::int64_t cols_) : data(data_), rows(rows_), cols(cols_), stride(cols_) {}

  [[nodiscard]] std::span<T> row(std::int64_t r) const noexcept {
    return {data + r * stride, static_cast<std::size_t>(cols)};
  }
};

}  // namespace recocore
