// A block's part of a product: 64 x 64 sums, 4 x 4 in the registers of each thread.
#pragma once

#include <cstdint>

#include "cuda/device.cuh"

namespace recocore::cuda {

inline constexpr int kTile = 64;
inline constexpr int kEach = 4;  // rows and columns of a thread
/// Steps of depth that are in shared memory at a time.
inline constexpr int kDepth = 16;
/// Four more than a row, so that the threads which fill a column meet in few banks.
inline constexpr int kTileStride = kTile + 4;
/// Floats of shared memory that a product takes.
inline constexpr int kTileFloats = 2 * kDepth * kTileStride;

/// How the rows of an operand lie: next to each other along the depth, or along the rows.
enum class Along { depth, rows };

/// The first row, or column, of this thread's sums.
__device__ inline int tile_row() {
  return static_cast<int>(threadIdx.x) / (kTile / kEach) * kEach;
}
__device__ inline int tile_column() {
  return static_cast<int>(threadIdx.x) % (kTile / kEach) * kEach;
}

template <Along along, typename At>
__device__ void fill_tile(float* tile, std::int64_t first, std::int64_t depth, const At& at) {
  for (int e = static_cast<int>(threadIdx.x); e < kTile * kDepth; e += kThreads) {
    const int row = along == Along::depth ? e / kDepth : e % kTile;
    const int step = along == Along::depth ? e % kDepth : e / kTile;
    tile[step * kTileStride + row] = first + step < depth ? at(row, first + step) : 0.0F;
  }
}

/// sums[i][j] += sum over d < depth of left(tile_row() + i, d) * right(tile_column() + j, d), or of the squares of
/// their differences: one after the other by d, each rounded once, so a sum does not depend on where in a tile it is.
/// Both give 0 for rows that are not there. `shared` has kTileFloats. All threads of the block take part; a barrier
/// comes last.
template <Along left_along, Along right_along, bool kDistances = false, typename Left, typename Right>
__device__ void add_product(float (&sums)[kEach][kEach], float* shared, std::int64_t depth, const Left& left,
                            const Right& right) {
  float* const left_tile = shared;
  float* const right_tile = shared + kDepth * kTileStride;
  const int row = tile_row();
  const int column = tile_column();
  for (std::int64_t first = 0; first < depth; first += kDepth) {
    fill_tile<left_along>(left_tile, first, depth, left);
    fill_tile<right_along>(right_tile, first, depth, right);
    __syncthreads();
    const int steps = depth - first < kDepth ? static_cast<int>(depth - first) : kDepth;
    for (int d = 0; d < steps; ++d) {
      float a[kEach];
      float b[kEach];
      RECOCORE_UNROLL for (int i = 0; i < kEach; ++i) a[i] = left_tile[d * kTileStride + row + i];
      RECOCORE_UNROLL for (int j = 0; j < kEach; ++j) b[j] = right_tile[d * kTileStride + column + j];
      RECOCORE_UNROLL for (int i = 0; i < kEach; ++i) RECOCORE_UNROLL for (int j = 0; j < kEach; ++j) sums[i][j] =
          kDistances ? fmaf(a[i] - b[j], a[i] - b[j], sums[i][j]) : fmaf(a[i], b[j], sums[i][j]);
    }
    __syncthreads();
  }
}

}  // namespace recocore::cuda
