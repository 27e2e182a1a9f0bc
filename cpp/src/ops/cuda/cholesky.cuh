// A symmetric positive definite system solved by one block.
#pragma once

#include <cfloat>
#include <cstdint>

#include "cuda/product_tile.cuh"

namespace recocore::cuda {

/// As recocore::Solved.
enum class Outcome : int { solved, singular, overflow };

/// Columns that are factored one by one before what is right of them is brought up to date as a product.
inline constexpr std::int64_t kPanel = 16;

/// a -= l l^T behind column `end`, of which the columns from `begin` on of l are done.
__device__ inline void update_behind(float* a, std::int64_t stride, std::int64_t n, std::int64_t begin,
                                     std::int64_t end, float* shared) {
  for (std::int64_t row = end; row < n; row += kTile)
    for (std::int64_t column = end; column <= row; column += kTile) {
      float sums[kEach][kEach] = {};
      const auto at = [&](std::int64_t first) {
        return [=](int r, std::int64_t d) { return first + r < n ? a[(first + r) * stride + begin + d] : 0.0F; };
      };
      add_product<Along::depth, Along::depth>(sums, shared, end - begin, at(row), at(column));
      RECOCORE_UNROLL for (int i = 0; i < kEach; ++i) RECOCORE_UNROLL for (int j = 0; j < kEach; ++j) {
        const std::int64_t r = row + tile_row() + i;
        const std::int64_t c = column + tile_column() + j;
        if (r < n && c <= r) a[r * stride + c] -= sums[i][j];
      }
    }
  __syncthreads();
}

/// Solves a x = b in place. The lower triangle of a becomes its Cholesky factor; a and b may be in shared memory or
/// not. All threads of the block take part and get the same outcome; unless that is `solved`, both are void. `shared`
/// has kTileFloats, `scratch` kThreads elements. O(n^3).
__device__ inline Outcome solve_in_block(float* a, std::int64_t stride, float* b, std::int64_t n, float* shared,
                                         float* scratch) {
  __syncthreads();
  float largest = 0;
  float checked = 0;  // NaN or infinite where an element of the diagonal is
  for (std::int64_t i = 0; i < n; ++i) {
    const float value = a[i * stride + i];
    checked += value * 0.0F;
    largest = fmaxf(largest, value);
  }
  if (!(checked == 0.0F && largest <= FLT_MAX)) return Outcome::overflow;
  // A pivot this far below the largest diagonal element is rounding error of float32, not information.
  const float smallest_pivot = largest * static_cast<float>(n) * FLT_EPSILON * 0.01F;
  for (std::int64_t begin = 0; begin < n; begin += kPanel) {
    const std::int64_t end = begin + kPanel < n ? begin + kPanel : n;
    for (std::int64_t c = begin; c < end; ++c) {
      __syncthreads();
      const float pivot = a[c * stride + c];
      if (!(pivot <= FLT_MAX)) return Outcome::overflow;
      if (!(pivot > smallest_pivot)) return Outcome::singular;
      const float root = sqrtf(pivot);
      __syncthreads();
      for (std::int64_t r = c + threadIdx.x; r < n; r += kThreads)
        a[r * stride + c] = r == c ? root : a[r * stride + c] / root;
      __syncthreads();
      for (std::int64_t r = c + 1 + threadIdx.x; r < n; r += kThreads) {
        const float left = a[r * stride + c];
        for (std::int64_t j = c + 1; j < end && j <= r; ++j) a[r * stride + j] -= left * a[j * stride + c];
      }
    }
    __syncthreads();
    update_behind(a, stride, n, begin, end, shared);
  }
  // Each step takes one unknown out of those after it; its own division waits, or others would read it done by half.
  for (std::int64_t c = 0; c < n; ++c) {
    __syncthreads();
    const float value = b[c] / a[c * stride + c];
    for (std::int64_t r = c + 1 + threadIdx.x; r < n; r += kThreads) b[r] -= a[r * stride + c] * value;
  }
  __syncthreads();
  for (std::int64_t r = threadIdx.x; r < n; r += kThreads) b[r] /= a[r * stride + r];
  for (std::int64_t c = n - 1; c >= 0; --c) {
    __syncthreads();
    const float value = b[c] / a[c * stride + c];
    for (std::int64_t r = threadIdx.x; r < c; r += kThreads) b[r] -= a[c * stride + r] * value;
  }
  __syncthreads();
  float bad = 0;
  for (std::int64_t r = threadIdx.x; r < n; r += kThreads) {
    b[r] /= a[r * stride + r];
    if (!(fabsf(b[r]) <= FLT_MAX)) bad = 1;
  }
  return sum_of_block(bad, scratch) > 0 ? Outcome::overflow : Outcome::solved;
}

}  // namespace recocore::cuda
