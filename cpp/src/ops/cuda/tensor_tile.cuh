// A block's part of a product of sixteen-bit floats, on tensor cores: 64 x 64 sums in float32, 16 x 32 of each warp.
//
// One instruction, mma.m16n8k16, is not run by any test: compiled, not run. Where it is not there, as in the execution
// layer, the warp does the same by shuffles, so all that is around it runs: who holds which values, and who gets which
// sum.
#pragma once

#include <cstdint>
#include <type_traits>

#include "cuda/product_tile.cuh"
#include "ops/cuda/halves.cuh"

namespace recocore::cuda {

/// Words of 32 bits from one row of a tile to the next: 16 halves and eight of padding, so that the 32 words that a
/// warp reads at once, eight rows of four, lie in as many banks.
inline constexpr int kTensorStride = kDepth / 2 + 4;
static_assert(kDepth == 16, "the steps of one instruction");
/// Shared memory of a product: words of both operands, and floats of the sums on their way to the threads they are for.
inline constexpr int kTensorWords = 2 * kTile * kTensorStride;
inline constexpr int kTensorSums = kTile * kTileStride;

/// sums += a b: 16 x 8 sums of a warp over 16 steps, each operand and the sums spread over the lanes as PTX has it for
/// mma.m16n8k16. With g = lane / 4 and t = lane % 4, sums are those of rows g and g + 8 and columns 2 t and 2 t + 1; a
/// has row g, then g + 8, at steps 2 t and 2 t + 1, then both at eight more; b has column g at these steps, then at
/// eight more. The step of a word's lower half comes first.
template <typename Half>
__device__ inline void multiply_fragments(float (&sums)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  if constexpr (std::is_same_v<Half, Float16>) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, "
        "%3};"
        : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  } else {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, "
        "%2, %3};"
        : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  }
#else
  const auto lower = [](unsigned word) { return widened(Half{static_cast<std::uint16_t>(word)}); };
  const auto upper = [](unsigned word) { return widened(Half{static_cast<std::uint16_t>(word >> 16U)}); };
  const int group = static_cast<int>(lane_id()) / 4;
  const int place = static_cast<int>(lane_id()) % 4;
  for (int pair = 0; pair < kDepth / 2; ++pair) {
    const int later = pair / 4;  // of the eight steps that come first, or of those after them
    for (int row = 0; row < 2; ++row) {
      const unsigned left = __shfl_sync(kAllLanes, a[2 * later + row], group * 4 + pair % 4);
      for (int column = 0; column < 2; ++column) {
        const unsigned right = __shfl_sync(kAllLanes, b[later], (place * 2 + column) * 4 + pair % 4);
        float& sum = sums[2 * row + column];
        sum = fmaf(upper(left), upper(right), fmaf(lower(left), lower(right), sum));
      }
    }
  }
#endif
}

/// Fills a tile with rows of halves, two a word; `at(row, step)` gives 0 for rows that are not there.
template <typename At>
__device__ void fill_halves(unsigned* tile, std::int64_t first, std::int64_t depth, const At& at) {
  for (int e = static_cast<int>(threadIdx.x); e < kTile * kDepth / 2; e += kThreads) {
    const int row = e / (kDepth / 2);
    const int word = e % (kDepth / 2);
    const std::int64_t step = first + 2 * word;
    const unsigned lower = step < depth ? at(row, step).bits : 0U;
    const unsigned upper = step + 1 < depth ? at(row, step + 1).bits : 0U;
    tile[row * kTensorStride + word] = lower | upper << 16U;
  }
}

/// sums[i][j] = sum over d < depth of left(tile_row() + i, d) * right(tile_column() + j, d), in float32 and in an order
/// of the hardware's. `words` has kTensorWords, `passed` kTensorSums. All threads of the block take part; a barrier
/// comes last.
template <typename Half, typename Left, typename Right>
__device__ void multiply_halves(float (&sums)[kEach][kEach], unsigned* words, float* passed, std::int64_t depth,
                                const Left& left, const Right& right) {
  constexpr int kColumns = 4;  // fragments of eight columns of a warp
  unsigned* const left_tile = words;
  unsigned* const right_tile = words + kTile * kTensorStride;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int group = static_cast<int>(lane_id()) / 4;
  const int place = static_cast<int>(lane_id()) % 4;
  const int first_row = warp % 4 * 16;
  const int first_column = warp / 4 * 32;
  float own[kColumns][4] = {};
  for (std::int64_t first = 0; first < depth; first += kDepth) {
    fill_halves(left_tile, first, depth, left);
    fill_halves(right_tile, first, depth, right);
    __syncthreads();
    const unsigned* row = left_tile + (first_row + group) * kTensorStride + place;
    const unsigned a[4] = {row[0], row[8 * kTensorStride], row[4], row[8 * kTensorStride + 4]};
    RECOCORE_UNROLL for (int c = 0; c < kColumns; ++c) {
      const unsigned* column = right_tile + (first_column + c * 8 + group) * kTensorStride + place;
      const unsigned b[2] = {column[0], column[4]};
      multiply_fragments<Half>(own[c], a, b);
    }
    __syncthreads();
  }
  RECOCORE_UNROLL for (int c = 0; c < kColumns; ++c) RECOCORE_UNROLL for (int i = 0; i < 4; ++i)
      passed[(first_row + group + i / 2 * 8) * kTileStride + first_column + c * 8 + place * 2 + i % 2] = own[c][i];
  __syncthreads();
  RECOCORE_UNROLL for (int i = 0; i < kEach; ++i) RECOCORE_UNROLL for (int j = 0; j < kEach; ++j) sums[i][j] =
      passed[(tile_row() + i) * kTileStride + tile_column() + j];
  __syncthreads();
}

}  // namespace recocore::cuda
