// Runs kernels without a GPU, for tests alone: the names of CUDA that kernels use, for a host compiler.
//
// A block's threads are fibers of one thread of the system. They run one at a time, each until it waits at a barrier or
// for its warp, in an order that a seed shuffles; so what lacks a barrier reads what is not written yet, under most
// seeds. Blocks run one after the other, in a shuffled order too.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <source_location>
#include <tuple>
#include <type_traits>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)

namespace recocore::cuda {

struct Index {
  unsigned x;
};

// Of the thread that runs.
extern Index threadIdx, blockIdx, blockDim, gridDim;

namespace exec {

using Site = std::source_location;

/// What a test may set; taken from RECOCORE_CUDA_EXEC_SEED, _MAX_BLOCKS, _MEMORY and _TENSOR_CORES at first.
struct Settings {
  std::uint64_t seed;
  std::int64_t most_blocks;  ///< of a grid
  std::int64_t memory;       ///< of the device, bytes
  bool tensor_cores;         ///< whether it seems to have them: their one instruction is then done by shuffles
};
Settings& settings();

/// Blocks since the start: what a test asks to know whether its kernels ran.
std::int64_t blocks_run();

void run_grid(std::int64_t blocks, int threads, std::int64_t shared_bytes, void (*body)(void*), void* arguments);

/// The block's memory for the declaration `key`, exactly that large and full of ones.
void* shared_memory(const void* key, std::size_t bytes);
void* dynamic_shared_memory();

void wait_block(const Site& site);
/// Waits for the lanes of the mask, and ends the wait with the value that lane `source` brought.
std::uint64_t exchange(unsigned mask, std::uint64_t value, int source, const char* operation, const Site& site);
/// Waits likewise; a bit for each lane of the mask whose predicate holds.
unsigned vote(unsigned mask, bool predicate, const char* operation, const Site& site);
void wait_warp(unsigned mask, const Site& site);
/// May let others run: what is only safe because nobody comes between shows.
void interleave();
int lane();
int width();  ///< threads of this warp: less than 32 in the last of a block

template <typename T>
std::uint64_t bits_of(T value) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(std::uint64_t));
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  return bits;
}

template <typename T>
T from_bits(std::uint64_t bits) {
  T value;
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}

/// A kernel's launch, as <<<>>> would do it.
template <typename... Parameters, typename... Arguments>
void launch(void (*kernel)(Parameters...), std::int64_t blocks, int threads, std::int64_t shared_bytes,
            const Arguments&... arguments) {
  struct Call {
    void (*kernel)(Parameters...);
    std::tuple<std::remove_cvref_t<Parameters>...> values;
  } call{kernel, {arguments...}};
  const auto body = [](void* pointer) {
    const Call& mine = *static_cast<const Call*>(pointer);
    std::apply(mine.kernel, mine.values);
  };
  run_grid(blocks, threads, shared_bytes, body, &call);
}

}  // namespace exec

inline void __syncthreads(const exec::Site& site = exec::Site::current()) {
  exec::wait_block(site);
}
inline void __syncwarp(unsigned mask = 0xffffffffU, const exec::Site& site = exec::Site::current()) {
  exec::wait_warp(mask, site);
}
inline unsigned __ballot_sync(unsigned mask, bool predicate, const exec::Site& site = exec::Site::current()) {
  return exec::vote(mask, predicate, "__ballot_sync", site);
}
inline bool __any_sync(unsigned mask, bool predicate, const exec::Site& site = exec::Site::current()) {
  return exec::vote(mask, predicate, "__any_sync", site) != 0;
}
inline bool __all_sync(unsigned mask, bool predicate, const exec::Site& site = exec::Site::current()) {
  return exec::vote(mask, !predicate, "__all_sync", site) == 0;
}
template <typename T>
T __shfl_sync(unsigned mask, T value, int source, const exec::Site& site = exec::Site::current()) {
  return exec::from_bits<T>(exec::exchange(mask, exec::bits_of(value), source, "__shfl_sync", site));
}
template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int bits, const exec::Site& site = exec::Site::current()) {
  return exec::from_bits<T>(exec::exchange(mask, exec::bits_of(value), exec::lane() ^ bits, "__shfl_xor_sync", site));
}
template <typename T>
T __shfl_down_sync(unsigned mask, T value, int delta, const exec::Site& site = exec::Site::current()) {
  const int source = exec::lane() + delta < 32 ? exec::lane() + delta : exec::lane();
  return exec::from_bits<T>(exec::exchange(mask, exec::bits_of(value), source, "__shfl_down_sync", site));
}

template <typename T>
T atomicAdd(T* address, T value) {
  exec::interleave();
  return std::atomic_ref<T>(*address).fetch_add(value, std::memory_order_relaxed);
}
template <typename T>
T atomicOr(T* address, T value) {
  exec::interleave();
  return std::atomic_ref<T>(*address).fetch_or(value, std::memory_order_relaxed);
}
template <typename T>
T atomicCAS(T* address, T expected, T wanted) {
  exec::interleave();
  std::atomic_ref<T>(*address).compare_exchange_strong(expected, wanted, std::memory_order_relaxed);
  return expected;
}
template <typename T>
T atomicMin(T* address, T value) {
  exec::interleave();
  std::atomic_ref<T> cell(*address);
  T old = cell.load(std::memory_order_relaxed);
  while (value < old && !cell.compare_exchange_weak(old, value, std::memory_order_relaxed)) {
  }
  return old;
}

inline int __popc(unsigned bits) {
  return std::popcount(bits);
}
inline int __ffs(unsigned bits) {
  return bits == 0 ? 0 : std::countr_zero(bits) + 1;
}
inline unsigned __float_as_uint(float value) {
  return std::bit_cast<unsigned>(value);
}
inline float __uint_as_float(unsigned bits) {
  return std::bit_cast<float>(bits);
}
// The rounding of each operation alone: host compilers are told not to contract these files.
inline double __dmul_rn(double a, double b) {
  return a * b;
}
inline double __dadd_rn(double a, double b) {
  return a + b;
}

}  // namespace recocore::cuda

#define RECOCORE_SHARED(type, name, count)  \
  static const char name##_declaration = 0; \
  type* const name =                        \
      static_cast<type*>(::recocore::cuda::exec::shared_memory(&name##_declaration, sizeof(type) * (count)))
#define RECOCORE_DYNAMIC_SHARED(type, name) \
  type* const name = static_cast<type*>(::recocore::cuda::exec::dynamic_shared_memory())
