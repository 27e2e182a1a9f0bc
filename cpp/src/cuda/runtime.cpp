// The seam of runtime.hpp over the CUDA runtime, which is linked statically and looks for a driver when first called.
#include "cuda/runtime.hpp"

#include <limits>

#include "cuda/check.hpp"

namespace recocore::cuda {
namespace {

cudaStream_t handle(StreamHandle stream) {
  return reinterpret_cast<cudaStream_t>(stream);  // NOLINT(performance-no-int-to-ptr)
}

int present_device() {
  int device = 0;
  RECOCORE_CUDA_CHECK(cudaGetDevice(&device));
  return device;
}

int attribute(cudaDeviceAttr which) {
  int value = 0;
  RECOCORE_CUDA_CHECK(cudaDeviceGetAttribute(&value, which, present_device()));
  return value;
}

}  // namespace

int device_count() noexcept {
  int count = 0;
  if (cudaGetDeviceCount(&count) == cudaSuccess) return count;
  static_cast<void>(cudaGetLastError());
  return 0;
}

std::string no_device_reason() {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  static_cast<void>(cudaGetLastError());
  if (status != cudaSuccess) return cudaGetErrorString(status);
  return count == 0 ? "no CUDA device is visible" : "";
}

void require_device() {
  if (device_count() > 0) return;
  throw Error(ErrorCode::unsupported, "device: this build has the CUDA operations, but " + no_device_reason() +
                                          "; install NVIDIA's driver or use device='cpu'");
}

DeviceFacts device_facts() {
  require_device();
  cudaDeviceProp found{};
  RECOCORE_CUDA_CHECK(cudaGetDeviceProperties(&found, present_device()));
  return {found.name, std::to_string(found.major) + "." + std::to_string(found.minor),
          static_cast<std::int64_t>(found.totalGlobalMem), free_memory(), found.multiProcessorCount};
}

std::int64_t free_memory() {
  std::size_t free = 0;
  std::size_t total = 0;
  RECOCORE_CUDA_CHECK(cudaMemGetInfo(&free, &total));
  return static_cast<std::int64_t>(free);
}

int multiprocessors() {
  return attribute(cudaDevAttrMultiProcessorCount);
}

bool has_tensor_cores() {
  return attribute(cudaDevAttrComputeCapabilityMajor) >= 8;
}

std::int64_t most_blocks() {
  return std::numeric_limits<std::int32_t>::max();  // of every architecture since 3.0
}

void* allocate(std::int64_t bytes, StreamHandle stream) {
  void* memory = nullptr;
  if (bytes > 0) RECOCORE_CUDA_CHECK(cudaMallocAsync(&memory, static_cast<std::size_t>(bytes), handle(stream)));
  return memory;
}

void release(void* memory, StreamHandle stream) noexcept {
  if (memory != nullptr) static_cast<void>(cudaFreeAsync(memory, handle(stream)));
}

void copy_to_device(void* to, const void* from, std::int64_t bytes, StreamHandle stream) {
  if (bytes == 0) return;
  RECOCORE_CUDA_CHECK(cudaMemcpyAsync(to, from, static_cast<std::size_t>(bytes), cudaMemcpyDefault, handle(stream)));
}

void copy_to_host(void* to, const void* from, std::int64_t bytes, StreamHandle stream) {
  if (bytes == 0) return;
  RECOCORE_CUDA_CHECK(cudaMemcpyAsync(to, from, static_cast<std::size_t>(bytes), cudaMemcpyDefault, handle(stream)));
  synchronize(stream);
}

void copy_on_device(void* to, const void* from, std::int64_t bytes, StreamHandle stream) {
  if (bytes == 0) return;
  RECOCORE_CUDA_CHECK(
      cudaMemcpyAsync(to, from, static_cast<std::size_t>(bytes), cudaMemcpyDeviceToDevice, handle(stream)));
}

void fill_zero(void* memory, std::int64_t bytes, StreamHandle stream) {
  if (bytes > 0) RECOCORE_CUDA_CHECK(cudaMemsetAsync(memory, 0, static_cast<std::size_t>(bytes), handle(stream)));
}

void synchronize(StreamHandle stream) {
  RECOCORE_CUDA_CHECK(cudaStreamSynchronize(handle(stream)));
}

void wait_for(StreamHandle stream, StreamHandle other) {
  if (stream == other) return;
  cudaEvent_t reached = nullptr;
  RECOCORE_CUDA_CHECK(cudaEventCreateWithFlags(&reached, cudaEventDisableTiming));
  const cudaError_t recorded = cudaEventRecord(reached, handle(other));
  const cudaError_t waited = recorded == cudaSuccess ? cudaStreamWaitEvent(handle(stream), reached, 0) : recorded;
  static_cast<void>(cudaEventDestroy(reached));  // the runtime keeps it until it is reached
  check(waited, "cudaStreamWaitEvent");
}

void check_launch() {
  RECOCORE_CUDA_CHECK(cudaGetLastError());
}

StreamHandle create_stream() {
  cudaStream_t stream = nullptr;
  RECOCORE_CUDA_CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  return reinterpret_cast<StreamHandle>(stream);
}

void destroy_stream(StreamHandle stream) noexcept {
  static_cast<void>(cudaStreamDestroy(handle(stream)));
}

}  // namespace recocore::cuda
