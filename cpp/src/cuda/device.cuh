// What kernels are written in: CUDA's own names, or those of the execution layer under which tests run the same sources
// without a GPU (cpp/tests/cuda_exec). Kernels use grids and blocks of one dimension.
#pragma once

#include <cstdint>

#include "cuda/runtime.hpp"

#if defined(__CUDACC__)

#include <cuda_runtime.h>

/// Before a loop over registers: sums that a loop's counter picks would lie in memory.
#define RECOCORE_UNROLL _Pragma("unroll")

/// An array of the block's shared memory, and a pointer to it.
#define RECOCORE_SHARED(type, name, count) \
  __shared__ type name##_storage[count];   \
  type* const name = name##_storage
/// The shared memory whose size the launch says.
#define RECOCORE_DYNAMIC_SHARED(type, name)           \
  extern __shared__ double recocore_dynamic_shared[]; \
  type* const name = reinterpret_cast<type*>(recocore_dynamic_shared)

#else

#include "cuda_exec/exec.hpp"

#define RECOCORE_UNROLL

#endif

namespace recocore::cuda {

inline constexpr unsigned kAllLanes = 0xffffffffU;
/// Threads of a block, in every kernel: eight warps.
inline constexpr int kThreads = 256;

/// Starts `blocks` blocks of kThreads threads, as many as a grid holds: kernels stride over the rest. With so many
/// bytes of shared memory whose size is known now only. Throws Error{device} where the launch fails.
template <typename... Parameters, typename... Arguments>
void launch_with_shared(void (*kernel)(Parameters...), std::int64_t blocks, std::int64_t shared_bytes,
                        StreamHandle stream, const Arguments&... arguments) {
  if (blocks <= 0) return;
  const std::int64_t grid = blocks < most_blocks() ? blocks : most_blocks();
#if defined(__CUDACC__)
  kernel<<<static_cast<unsigned>(grid), kThreads, static_cast<std::size_t>(shared_bytes),
           reinterpret_cast<cudaStream_t>(stream)>>>(static_cast<Parameters>(arguments)...);
  check_launch();
#else
  static_cast<void>(stream);
  exec::launch(kernel, grid, kThreads, shared_bytes, static_cast<Parameters>(arguments)...);
#endif
}

/// The same without such memory.
template <typename... Parameters, typename... Arguments>
void launch(void (*kernel)(Parameters...), std::int64_t blocks, StreamHandle stream, const Arguments&... arguments) {
  launch_with_shared(kernel, blocks, 0, stream, arguments...);
}

/// Whether this thread is the block's first.
__device__ inline bool is_first_thread() {
  return threadIdx.x == 0;
}

/// The lane of this thread in its warp.
__device__ inline unsigned lane_id() {
  return threadIdx.x % 32;
}

/// The sum of a value over the threads of the block, for all of them: in the order of the threads, whatever the order
/// in which they come. Begins and ends with a barrier, so `scratch`, kThreads elements, may be used again at once.
template <typename T>
__device__ T sum_of_block(T value, T* scratch) {
  __syncthreads();
  scratch[threadIdx.x] = value;
  __syncthreads();
  for (unsigned half = kThreads / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) scratch[threadIdx.x] += scratch[threadIdx.x + half];
    __syncthreads();
  }
  const T sum = scratch[0];
  __syncthreads();
  return sum;
}

}  // namespace recocore::cuda
