// What the host side of the operations needs of a GPU: the CUDA runtime (runtime.cpp), or the execution layer of the
// tests, which implements the same functions in the machine's own memory. Every failure throws Error.
#pragma once

#include <cstdint>
#include <string>

namespace recocore::cuda {

/// A cudaStream_t as a number, as `__cuda_array_interface__` and CuPy name it; 0 is the default stream.
using StreamHandle = std::uintptr_t;

struct DeviceFacts {
  std::string name;
  std::string capability;  ///< for example "8.0"
  std::int64_t memory = 0;
  std::int64_t free_memory = 0;
  int multiprocessors = 0;
};

/// The devices that can be used; 0 without a driver.
[[nodiscard]] int device_count() noexcept;
/// Why device_count() is 0, in the runtime's words; empty where it is not.
[[nodiscard]] std::string no_device_reason();
/// The present device. Throws Error{unsupported} without one.
[[nodiscard]] DeviceFacts device_facts();
/// Throws Error{unsupported}, saying what is missing, where there is no device.
void require_device();

/// Bytes that can still be allocated on the device.
[[nodiscard]] std::int64_t free_memory();
/// The multiprocessors of the present device.
[[nodiscard]] int multiprocessors();
/// Whether the present device multiplies tiles of sixteen-bit floats by itself: sm_80 and later.
[[nodiscard]] bool has_tensor_cores();
/// How many blocks a grid holds in its first dimension.
[[nodiscard]] std::int64_t most_blocks();

/// Device memory, in the order of the stream. Throws Error{out_of_memory}.
[[nodiscard]] void* allocate(std::int64_t bytes, StreamHandle stream);
void release(void* memory, StreamHandle stream) noexcept;

/// Copies are done when the stream has come to them; from and to pageable memory the host waits.
void copy_to_device(void* to, const void* from, std::int64_t bytes, StreamHandle stream);
void copy_to_host(void* to, const void* from, std::int64_t bytes, StreamHandle stream);
void copy_on_device(void* to, const void* from, std::int64_t bytes, StreamHandle stream);
void fill_zero(void* memory, std::int64_t bytes, StreamHandle stream);

/// Waits for all that the stream has been given; throws what went wrong in it.
void synchronize(StreamHandle stream);
/// Makes the stream wait for what `other` has been given so far.
void wait_for(StreamHandle stream, StreamHandle other);
/// Throws Error{device} if the launch just made failed.
void check_launch();

/// A stream of one's own.
[[nodiscard]] StreamHandle create_stream();
void destroy_stream(StreamHandle stream) noexcept;

}  // namespace recocore::cuda
