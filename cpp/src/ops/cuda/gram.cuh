// Sums of outer products of rows, cut into stretches that blocks take on their own, and added up in float64 in the
// order of the stretches: a Gram matrix, or the system of a row with very many entries. And the product with a small
// matrix.
#pragma once

#include <cstdint>

#include "cuda/product_tile.cuh"

namespace recocore::cuda {

/// Some rows of a matrix of f columns: all in order where `numbers` is null. Each counts `weights` times; null for
/// ones.
struct WeighedRows {
  const float* rows = nullptr;
  std::int64_t stride = 0;
  std::int64_t width = 0;
  const std::int32_t* numbers = nullptr;
  const float* weights = nullptr;
  std::int64_t count = 0;
};

__device__ inline const float* row_of(const WeighedRows& from, std::int64_t e) {
  return from.rows + (from.numbers == nullptr ? e : static_cast<std::int64_t>(from.numbers[e])) * from.stride;
}

/// The tiles of a triangle, row by row: 0 is (0, 0), 1 is (1, 0), 2 is (1, 1).
__device__ inline void tile_of_triangle(std::int64_t number, std::int64_t& row, std::int64_t& column) {
  row = 0;
  while ((row + 1) * (row + 2) / 2 <= number) ++row;
  column = number - row * (row + 1) / 2;
}

__host__ __device__ inline std::int64_t tiles_of_triangle(std::int64_t width) {
  const std::int64_t side = (width + kTile - 1) / kTile;
  return side * (side + 1) / 2;
}

/// The tile's sums over rows [begin, end): columns `first_row + tile_row() + i` against `first_column + ...`.
__device__ inline void add_outer_products(float (&sums)[kEach][kEach], float* shared, const WeighedRows& from,
                                          std::int64_t begin, std::int64_t end, std::int64_t first_row,
                                          std::int64_t first_column) {
  add_product<Along::rows, Along::rows>(
      sums, shared, end - begin,
      [&](int r, std::int64_t e) {
        if (first_row + r >= from.width) return 0.0F;
        const float value = row_of(from, begin + e)[first_row + r];
        return from.weights == nullptr ? value : from.weights[begin + e] * value;
      },
      [&](int c, std::int64_t e) {
        return first_column + c < from.width ? row_of(from, begin + e)[first_column + c] : 0.0F;
      });
}

/// partial[s] [width, width], the lower triangle: the sum over stretch s, `length` rows.
__global__ void __launch_bounds__(kThreads)
    sum_stretches(WeighedRows from, std::int64_t stretches, std::int64_t length, float* partial) {
  RECOCORE_SHARED(float, shared, kTileFloats);
  const std::int64_t tiles = tiles_of_triangle(from.width);
  for (std::int64_t work = blockIdx.x; work < stretches * tiles; work += gridDim.x) {
    const std::int64_t begin = work / tiles * length;
    const std::int64_t end = begin + length < from.count ? begin + length : from.count;
    std::int64_t tile_of_row = 0;
    std::int64_t tile_of_column = 0;
    tile_of_triangle(work % tiles, tile_of_row, tile_of_column);
    float sums[kEach][kEach] = {};
    add_outer_products(sums, shared, from, begin, end, tile_of_row * kTile, tile_of_column * kTile);
    float* out = partial + work / tiles * from.width * from.width;
    RECOCORE_UNROLL for (int i = 0; i < kEach; ++i) RECOCORE_UNROLL for (int j = 0; j < kEach; ++j) {
      const std::int64_t row = tile_of_row * kTile + tile_row() + i;
      const std::int64_t column = tile_of_column * kTile + tile_column() + j;
      if (row < from.width && column <= row) out[row * from.width + column] = sums[i][j];
    }
  }
}

/// out = scale * the sum of the partial sums, both triangles.
__global__ void __launch_bounds__(kThreads)
    add_stretches(const float* partial, std::int64_t stretches, std::int64_t width, float scale, float* out,
                  std::int64_t out_stride) {
  for (std::int64_t at = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; at < width * width;
       at += std::int64_t{gridDim.x} * kThreads) {
    const std::int64_t row = at / width;
    const std::int64_t column = at % width;
    if (column > row) continue;
    double sum = 0;
    for (std::int64_t s = 0; s < stretches; ++s) sum += static_cast<double>(partial[s * width * width + at]);
    out[row * out_stride + column] = static_cast<float>(static_cast<double>(scale) * sum);
    out[column * out_stride + row] = static_cast<float>(static_cast<double>(scale) * sum);
  }
}

/// out = rows * matrix, [count, width] x [width, width].
__global__ void __launch_bounds__(kThreads)
    turn_rows(const float* rows, std::int64_t stride, std::int64_t count, std::int64_t width, const float* matrix,
              float* out, std::int64_t out_stride) {
  RECOCORE_SHARED(float, shared, kTileFloats);
  const std::int64_t row_tiles = (count + kTile - 1) / kTile;
  const std::int64_t column_tiles = (width + kTile - 1) / kTile;
  for (std::int64_t tile = blockIdx.x; tile < row_tiles * column_tiles; tile += gridDim.x) {
    const std::int64_t first_row = tile / column_tiles * kTile;
    const std::int64_t first_column = tile % column_tiles * kTile;
    float sums[kEach][kEach] = {};
    add_product<Along::depth, Along::rows>(
        sums, shared, width,
        [&](int r, std::int64_t d) { return first_row + r < count ? rows[(first_row + r) * stride + d] : 0.0F; },
        [&](int c, std::int64_t d) { return first_column + c < width ? matrix[d * width + first_column + c] : 0.0F; });
    RECOCORE_UNROLL for (int i = 0; i < kEach; ++i) RECOCORE_UNROLL for (int j = 0; j < kEach; ++j) {
      const std::int64_t row = first_row + tile_row() + i;
      const std::int64_t column = first_column + tile_column() + j;
      if (row < count && column < width) out[row * out_stride + column] = sums[i][j];
    }
  }
}

/// out = rows, where either may lie apart.
__global__ void __launch_bounds__(kThreads) copy_rows(const float* rows, std::int64_t stride, std::int64_t count,
                                                      std::int64_t width, float* out, std::int64_t out_stride) {
  for (std::int64_t at = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; at < count * width;
       at += std::int64_t{gridDim.x} * kThreads)
    out[at / width * out_stride + at % width] = rows[at / width * stride + at % width];
}

/// The rows `numbers` of `rows` to the same places of `out`.
__global__ void __launch_bounds__(kThreads)
    copy_some_rows(const float* rows, const std::int32_t* numbers, std::int64_t count, std::int64_t width, float* out) {
  for (std::int64_t i = blockIdx.x; i < count; i += gridDim.x)
    for (std::int64_t t = threadIdx.x; t < width; t += kThreads)
      out[numbers[i] * width + t] = rows[numbers[i] * width + t];
}

}  // namespace recocore::cuda
