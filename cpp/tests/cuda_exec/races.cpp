// A program that the thread sanitizer has to find a race in, or none: races with|without.
#include <cstdio>
#include <cstring>

#include "cuda/device.cuh"

namespace recocore::cuda {
namespace {

/// Every thread adds to one element. In plain runs no thread comes between another's reading and writing, so the answer
/// is right under every seed: only the sanitizer sees it.
template <bool is_atomic>
__global__ void count_threads(int* count) {
  RECOCORE_SHARED(int, sum, 1);
  if (is_first_thread()) *sum = 0;
  __syncthreads();
  if (is_atomic) {
    atomicAdd(sum, 1);
  } else {
    *sum = *sum + 1;
  }
  __syncthreads();
  if (is_first_thread()) *count = *sum;
}

}  // namespace
}  // namespace recocore::cuda

int main(int arguments, char** values) {
  using namespace recocore::cuda;
  int count = 0;
  const bool has_race = arguments > 1 && std::strcmp(values[1], "with") == 0;
  launch(has_race ? count_threads<false> : count_threads<true>, 1, 0, &count);
  std::printf("%d threads\n", count);
  return count == kThreads ? 0 : 1;
}
