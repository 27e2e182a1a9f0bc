// The seam of cuda/runtime.hpp in the machine's own memory: a device whose memory lies beside the host's. Every
// allocation is exactly as large as asked for, so that the address sanitizer sees what a kernel does outside it.
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>

#include "cuda/runtime.hpp"
#include "cuda_exec/exec.hpp"
#include "recocore/device.hpp"
#include "recocore/error.hpp"

namespace recocore::cuda {
namespace {

std::mutex mutex;
std::map<void*, std::int64_t> allocations;
std::int64_t allocated = 0;

}  // namespace

int device_count() noexcept {
  return 1;
}

std::string no_device_reason() {
  return "";
}

void require_device() {}

DeviceFacts device_facts() {
  return {"execution layer (host)", "0.0", exec::settings().memory, free_memory(), multiprocessors()};
}

std::int64_t free_memory() {
  const std::lock_guard lock(mutex);
  return exec::settings().memory - allocated;
}

int multiprocessors() {
  return 2;
}

bool has_tensor_cores() {
  return exec::settings().tensor_cores;
}

std::int64_t most_blocks() {
  return exec::settings().most_blocks;
}

void* allocate(std::int64_t bytes, StreamHandle) {
  if (bytes == 0) return nullptr;
  const std::lock_guard lock(mutex);
  if (bytes > exec::settings().memory - allocated)
    throw Error(ErrorCode::out_of_memory, "cuda_exec: asked for " + std::to_string(bytes) + " bytes, " +
                                              std::to_string(exec::settings().memory - allocated) + " are free");
  void* memory = std::malloc(static_cast<std::size_t>(bytes));
  if (memory == nullptr) throw std::bad_alloc();
  std::memset(memory, 0xff, static_cast<std::size_t>(bytes));  // what nobody wrote is no number
  allocations.emplace(memory, bytes);
  allocated += bytes;
  return memory;
}

void release(void* memory, StreamHandle) noexcept {
  if (memory == nullptr) return;
  const std::lock_guard lock(mutex);
  const auto found = allocations.find(memory);
  allocated -= found->second;
  allocations.erase(found);
  std::free(memory);
}

void copy_to_device(void* to, const void* from, std::int64_t bytes, StreamHandle) {
  if (bytes > 0) std::memmove(to, from, static_cast<std::size_t>(bytes));
}

void copy_to_host(void* to, const void* from, std::int64_t bytes, StreamHandle) {
  if (bytes > 0) std::memmove(to, from, static_cast<std::size_t>(bytes));
}

void copy_on_device(void* to, const void* from, std::int64_t bytes, StreamHandle) {
  if (bytes > 0) std::memmove(to, from, static_cast<std::size_t>(bytes));
}

void fill_zero(void* memory, std::int64_t bytes, StreamHandle) {
  if (bytes > 0) std::memset(memory, 0, static_cast<std::size_t>(bytes));
}

void synchronize(StreamHandle) {}
void wait_for(StreamHandle, StreamHandle) {}
void check_launch() {}

StreamHandle create_stream() {
  return 1;
}

void destroy_stream(StreamHandle) noexcept {}

}  // namespace recocore::cuda
