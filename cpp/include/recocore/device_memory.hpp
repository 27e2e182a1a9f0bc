#pragma once

#include <cstdint>

namespace recocore {

/// A cudaStream_t as a number; 0 is the default stream.
using CudaStream = std::uintptr_t;

/// Memory of the CUDA device, for those who hand arrays in and out. Without CUDA every function throws
/// Error{unsupported}.
[[nodiscard]] void* device_allocate(std::int64_t bytes, CudaStream stream);
/// Nothing for null.
void device_release(void* memory, CudaStream stream) noexcept;
/// Copies are done on return.
void device_upload(void* to, const void* from, std::int64_t bytes, CudaStream stream);
void device_download(void* to, const void* from, std::int64_t bytes, CudaStream stream);
/// Makes `stream` wait for what `other` was given before.
void device_wait_for(CudaStream stream, CudaStream other);

}  // namespace recocore
