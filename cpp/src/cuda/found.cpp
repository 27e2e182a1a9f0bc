// What recocore/device.hpp says of CUDA where the build has it.
#include "cuda/runtime.hpp"
#include "recocore/device.hpp"
#include "recocore/device_memory.hpp"

namespace recocore {

bool built_with_cuda() noexcept {
  return true;
}

int cuda_device_count() noexcept {
  return cuda::device_count();
}

CudaDevice cuda_device() {
  const cuda::DeviceFacts facts = cuda::device_facts();
  return {facts.name, facts.capability, facts.memory, facts.free_memory, facts.multiprocessors};
}

void* device_allocate(std::int64_t bytes, CudaStream stream) {
  cuda::require_device();
  return cuda::allocate(bytes, stream);
}

void device_release(void* memory, CudaStream stream) noexcept {
  cuda::release(memory, stream);
}

void device_upload(void* to, const void* from, std::int64_t bytes, CudaStream stream) {
  cuda::copy_to_device(to, from, bytes, stream);
  cuda::synchronize(stream);
}

void device_download(void* to, const void* from, std::int64_t bytes, CudaStream stream) {
  cuda::copy_to_host(to, from, bytes, stream);
}

void device_wait_for(CudaStream stream, CudaStream other) {
  cuda::wait_for(stream, other);
}

}  // namespace recocore
