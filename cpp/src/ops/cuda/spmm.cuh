// A sparse matrix times a dense one, row by row.
#pragma once

#include <cstdint>

#include "cuda/device.cuh"

namespace recocore::cuda {

/// Rows of a sparse matrix: the entries of row r are [begin[r], begin[r + 1]).
struct SparseRows {
  const long long* begin = nullptr;
  const std::int32_t* columns = nullptr;
  const float* values = nullptr;
  std::int64_t rows = 0;
};

/// A block a row, its threads over the columns of `dense`: each sum in the order of the row's entries, in float64 as
/// the CPU's.
static __global__ void __launch_bounds__(kThreads)
    multiply_sparse(SparseRows sparse, const float* dense, std::int64_t stride, std::int64_t width, float* out,
                    std::int64_t out_stride) {
  for (std::int64_t r = blockIdx.x; r < sparse.rows; r += gridDim.x)
    for (std::int64_t c = threadIdx.x; c < width; c += kThreads) {
      double sum = 0;
      for (long long e = sparse.begin[r]; e < sparse.begin[r + 1]; ++e)
        sum = __dadd_rn(sum, __dmul_rn(static_cast<double>(sparse.values[e]),
                                       static_cast<double>(dense[sparse.columns[e] * stride + c])));
      out[r * out_stride + c] = static_cast<float>(sum);
    }
}

}  // namespace recocore::cuda
