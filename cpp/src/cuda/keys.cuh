// A candidate as one number, and a block's selection among such numbers.
#pragma once

#include <cstdint>

#include "cuda/device.cuh"

namespace recocore::cuda {

/// Higher is better: a larger score, or the same and a lower id. 0 is nobody's.
using Key = unsigned long long;

/// The key of a score that is no NaN; both zeros are one.
__device__ inline Key key_of(float score, std::int32_t id) {
  const unsigned bits = __float_as_uint(score + 0.0F);
  const unsigned ordered = (bits & 0x80000000U) != 0 ? ~bits : bits | 0x80000000U;
  return (static_cast<Key>(ordered) << 32U) | ~static_cast<unsigned>(id);
}

/// The least key of a score.
__device__ inline Key least_key_of(float score) {
  return key_of(score, 0) & 0xffffffff00000000U;
}

__device__ inline float score_of_key(Key key) {
  const auto ordered = static_cast<unsigned>(key >> 32U);
  return __uint_as_float((ordered & 0x80000000U) != 0 ? ordered & 0x7fffffffU : ~ordered);
}

__device__ inline std::int32_t id_of_key(Key key) {
  return static_cast<std::int32_t>(~static_cast<unsigned>(key));
}

/// What selecting takes of shared memory.
struct SelectScratch {
  unsigned histogram[256];
  Key prefix;
  long long wanted;
  int is_done;
  unsigned kept;
};

/// A bound that exactly k of n distinct keys reach, 1 <= k <= n. All threads of the block take part. Eight bits at a
/// time from the top: at most eight passes over the keys.
__device__ inline Key bound_of_best(const Key* keys, std::int64_t n, std::int64_t k, SelectScratch& scratch) {
  if (is_first_thread()) {
    scratch.prefix = 0;
    scratch.wanted = k;
    scratch.is_done = 0;
  }
  for (int shift = 56; shift >= 0; shift -= 8) {
    for (unsigned bin = threadIdx.x; bin < 256; bin += kThreads) scratch.histogram[bin] = 0;
    __syncthreads();
    const Key prefix = scratch.prefix;
    for (std::int64_t i = threadIdx.x; i < n; i += kThreads) {
      const Key key = keys[i];
      if (shift == 56 || ((key ^ prefix) >> (shift + 8)) == 0) atomicAdd(&scratch.histogram[(key >> shift) & 255U], 1U);
    }
    __syncthreads();
    if (is_first_thread()) {
      long long wanted = scratch.wanted;
      int bin = 255;
      while (static_cast<long long>(scratch.histogram[bin]) < wanted) wanted -= scratch.histogram[bin--];
      scratch.prefix = prefix | (static_cast<Key>(bin) << shift);
      scratch.is_done = static_cast<long long>(scratch.histogram[bin]) == wanted ? 1 : 0;
      scratch.wanted = wanted;
    }
    __syncthreads();
    if (scratch.is_done != 0) break;
  }
  const Key bound = scratch.prefix;
  __syncthreads();
  return bound;
}

/// Moves the keys that reach the bound to the front, in no particular order, and returns their number to all threads.
/// What is written lies before what is still to be read.
__device__ inline std::int64_t keep_reaching(Key* keys, std::int64_t n, Key bound, SelectScratch& scratch) {
  if (is_first_thread()) scratch.kept = 0;
  for (std::int64_t first = 0; first < n; first += kThreads) {
    const std::int64_t i = first + threadIdx.x;
    const Key key = i < n ? keys[i] : 0;
    __syncthreads();
    if (i < n && key >= bound) keys[atomicAdd(&scratch.kept, 1U)] = key;
    __syncthreads();
  }
  __syncthreads();
  const std::int64_t kept = scratch.kept;
  __syncthreads();
  return kept;
}

/// Sorts n keys, a power of two, the best first: a bitonic network. All threads of the block take part.
__device__ inline void sort_keys(Key* keys, std::int64_t n) {
  for (std::int64_t run = 2; run <= n; run *= 2) {
    for (std::int64_t apart = run / 2; apart > 0; apart /= 2) {
      __syncthreads();
      for (std::int64_t i = threadIdx.x; i < n; i += kThreads) {
        const std::int64_t other = i ^ apart;
        if (other < i) continue;
        const Key a = keys[i];
        const Key b = keys[other];
        const bool falls = (i & run) == 0;
        if (falls ? a < b : a > b) {
          keys[i] = b;
          keys[other] = a;
        }
      }
    }
  }
  __syncthreads();
}

}  // namespace recocore::cuda
