// The execution layer catches what it is there for: each kernel here has one mistake, and a twin without it.
#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "cuda/device.cuh"
#include "recocore/error.hpp"

namespace recocore::cuda {
namespace {

/// Every thread writes its place, and reads that of its neighbour.
template <bool has_barrier>
__global__ void take_from_neighbour(int* out) {
  RECOCORE_SHARED(int, places, kThreads);
  places[threadIdx.x] = static_cast<int>(threadIdx.x);
  if (has_barrier) __syncthreads();
  out[threadIdx.x] = places[(threadIdx.x + 1) % kThreads];
}

/// The sum of all threads by halves; without the barrier inside the loop, a half is read before it is whole.
template <bool has_barrier>
__global__ void sum_by_halves(int* out) {
  RECOCORE_SHARED(int, sums, kThreads);
  sums[threadIdx.x] = 1;
  __syncthreads();
  for (unsigned half = kThreads / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
    if (has_barrier) __syncthreads();
  }
  if (!has_barrier) __syncthreads();
  if (threadIdx.x == 0) out[0] = sums[0];
}

/// All threads write one element: who comes last depends on the order.
__global__ void race_to_write(int* out) {
  out[0] = static_cast<int>(threadIdx.x);
}

/// Threads give out places without an atomic operation in between; the loop's barrier lets others come between.
template <bool is_atomic>
__global__ void count_up(int* count) {
  for (int round = 0; round < 4; ++round) {
    if (is_atomic) {
      atomicAdd(count, 1);
    } else {
      const int seen = *count;
      __syncwarp();
      *count = seen + 1;
    }
    __syncwarp();
  }
}

__global__ void barrier_for_some(int*) {
  if (threadIdx.x < 100) __syncthreads();
}

__global__ void barriers_apart(int*) {
  if (threadIdx.x < 128) {
    __syncthreads();
  } else {
    __syncthreads();
  }
}

__global__ void mask_without_oneself(int* out) {
  out[threadIdx.x] = static_cast<int>(__ballot_sync(0x0000ffffU, true));
}

__global__ void full_mask_in_a_branch(int* out) {
  if (threadIdx.x % 32 < 16) out[threadIdx.x] = __shfl_sync(kAllLanes, 1, 0);
}

__global__ void masks_that_differ(int* out) {
  const unsigned mask = threadIdx.x % 32 < 16 ? kAllLanes : 0xffff0000U;
  out[threadIdx.x] = __shfl_sync(mask, 1, 20);
}

__global__ void read_of_an_absent_lane(int* out) {
  if (threadIdx.x % 32 < 16) out[threadIdx.x] = __shfl_sync(0x0000ffffU, 1, 20);
}

/// The lanes of each half of a warp in a branch of their own, as masks allow.
__global__ void halves_of_a_warp(int* out) {
  const bool is_low = threadIdx.x % 32 < 16;
  const unsigned mask = is_low ? 0x0000ffffU : 0xffff0000U;
  int sum = 1;
  if (is_low) {
    for (int bit = 8; bit > 0; bit /= 2) sum += __shfl_xor_sync(mask, sum, bit);
  } else {
    for (int bit = 8; bit > 0; bit /= 2) sum += 2 * __shfl_xor_sync(mask, sum, bit);
  }
  out[threadIdx.x] = sum;
}

__global__ void vote_and_shift(int* out) {
  const unsigned odd = __ballot_sync(kAllLanes, threadIdx.x % 2 == 1);
  const bool is_odd_warp = __all_sync(kAllLanes, threadIdx.x / 32 % 2 == 1);
  const bool has_zero = __any_sync(kAllLanes, threadIdx.x == 0);
  const int next = __shfl_down_sync(kAllLanes, static_cast<int>(threadIdx.x), 1);
  out[threadIdx.x] = odd == 0xaaaaaaaaU ? next + (is_odd_warp ? 1000 : 0) + (has_zero ? 10000 : 0) : -1;
}

__global__ void blocks_of_their_own(int* out) {
  RECOCORE_SHARED(int, first, 1);
  if (is_first_thread()) *first = static_cast<int>(blockIdx.x);
  __syncthreads();
  if (threadIdx.x == 7) out[blockIdx.x] = *first + static_cast<int>(gridDim.x * blockDim.x);
}

std::vector<int> run(void (*kernel)(int*), std::int64_t size = kThreads, std::int64_t blocks = 1) {
  std::vector<int> out(static_cast<std::size_t>(size), 0);
  launch(kernel, blocks, 0, out.data());
  return out;
}

/// Runs with each seed in turn, and afterwards has the one of before.
void with_seeds(int seeds, const std::function<void()>& body) {
  const std::uint64_t before = exec::settings().seed;
  for (int seed = 1; seed <= seeds; ++seed) {
    exec::settings().seed = static_cast<std::uint64_t>(seed);
    body();
  }
  exec::settings().seed = before;
}

/// How many different results there are under 20 seeds.
std::size_t results_of(void (*kernel)(int*)) {
  std::vector<std::vector<int>> results;
  with_seeds(20, [&] {
    const std::vector<int> result = run(kernel);
    if (std::find(results.begin(), results.end(), result) == results.end()) results.push_back(result);
  });
  return results.size();
}

std::string refusal(void (*kernel)(int*)) {
  try {
    run(kernel);
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was caught";
}

}  // namespace

// Under the thread sanitizer the planted races are reports, which cpp/tests/cuda_exec/races.cpp waits for.
#if !defined(__SANITIZE_THREAD__)
TEST_CASE("a missing barrier shows as a wrong answer") {
  with_seeds(20, [] {
    const std::vector<int> right = run(take_from_neighbour<true>);
    for (int t = 0; t < kThreads; ++t) CHECK(right[static_cast<std::size_t>(t)] == (t + 1) % kThreads);
    CHECK(run(take_from_neighbour<false>) != right);
    CHECK(run(sum_by_halves<true>, 1)[0] == kThreads);
    CHECK(run(sum_by_halves<false>, 1)[0] != kThreads);
  });
}

TEST_CASE("a race shows as an answer that depends on the seed") {
  CHECK(results_of(race_to_write) > 1);
  CHECK(run(count_up<true>, 1)[0] == 4 * kThreads);
  CHECK(run(count_up<false>, 1)[0] < 4 * kThreads);
}
#endif

TEST_CASE("threads that do not meet at a barrier are named") {
  CHECK(refusal(barrier_for_some).find("100 wait at the barrier of exec_test.cpp") != std::string::npos);
  CHECK(refusal(barriers_apart).find("threads of a block wait at different barriers") != std::string::npos);
}

TEST_CASE("wrong masks are named") {
  CHECK(refusal(mask_without_oneself).find("is not in its own mask 0x0000ffff") != std::string::npos);
  CHECK(refusal(full_mask_in_a_branch).find("mask 0xffffffff names a lane that has ended") != std::string::npos);
  CHECK(refusal(masks_that_differ).find("lanes of a warp came with the masks") != std::string::npos);
  CHECK(refusal(read_of_an_absent_lane).find("reads lane 20, which takes no part in it") != std::string::npos);
}

TEST_CASE("votes and shuffles do what CUDA's do") {
  with_seeds(5, [] {
    const std::vector<int> halves = run(halves_of_a_warp);
    const std::vector<int> voted = run(vote_and_shift);
    for (int t = 0; t < kThreads; ++t) {
      CHECK(halves[static_cast<std::size_t>(t)] == (t % 32 < 16 ? 16 : 81));
      const int next = t % 32 == 31 ? t : t + 1;
      CHECK(voted[static_cast<std::size_t>(t)] == next + (t / 32 % 2 == 1 ? 1000 : 0) + (t < 32 ? 10000 : 0));
    }
  });
}

TEST_CASE("every block runs once, with shared memory of its own") {
  for (const int blocks : {1, 2, 37, 64}) {
    const std::vector<int> seen = run(blocks_of_their_own, blocks, blocks);
    for (int b = 0; b < blocks; ++b) CHECK(seen[static_cast<std::size_t>(b)] == b + blocks * kThreads);
  }
}

TEST_CASE("after a failed launch the next one works") {
  refusal(barriers_apart);
  CHECK(run(sum_by_halves<true>, 1)[0] == kThreads);
}

}  // namespace recocore::cuda
