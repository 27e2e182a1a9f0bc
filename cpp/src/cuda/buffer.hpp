// Device memory that frees itself, and the estimates that keep it within what is free.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cuda/runtime.hpp"
#include "recocore/error.hpp"

namespace recocore::cuda {

/// `size` elements of T on the device, not set to anything.
template <typename T>
class Buffer {
 public:
  Buffer() = default;
  Buffer(std::int64_t size, StreamHandle stream)
      : size_(size),
        stream_(stream),
        data_(static_cast<T*>(allocate(size * static_cast<std::int64_t>(sizeof(T)), stream))) {}
  ~Buffer() { release(data_, stream_); }
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    swap(other);
    return *this;
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  [[nodiscard]] T* data() const noexcept { return data_; }
  [[nodiscard]] std::int64_t size() const noexcept { return size_; }
  [[nodiscard]] std::int64_t bytes() const noexcept { return size_ * static_cast<std::int64_t>(sizeof(T)); }

  void fill_zero() { cuda::fill_zero(data_, bytes(), stream_); }
  void upload(std::span<const T> from) { copy_to_device(data_, from.data(), bytes_of(from), stream_); }
  /// Waits for the stream.
  void download(std::span<T> to) const { copy_to_host(to.data(), data_, bytes_of(to), stream_); }
  [[nodiscard]] std::vector<T> to_host() const {
    std::vector<T> values(static_cast<std::size_t>(size_));
    download(values);
    return values;
  }

 private:
  template <typename U>
  static std::int64_t bytes_of(std::span<U> values) {
    return static_cast<std::int64_t>(values.size_bytes());
  }
  void swap(Buffer& other) noexcept {
    std::swap(size_, other.size_);
    std::swap(stream_, other.stream_);
    std::swap(data_, other.data_);
  }

  std::int64_t size_ = 0;
  StreamHandle stream_ = 0;
  T* data_ = nullptr;
};

template <typename T>
[[nodiscard]] Buffer<T> uploaded(std::span<const T> values, StreamHandle stream) {
  Buffer<T> buffer(std::ssize(values), stream);
  buffer.upload(values);
  return buffer;
}

/// How many things of `bytes_each` fit into what is free beside `bytes_fixed`, at most `wanted`. A fifth stays free,
/// for what the runtime itself takes and what others free and take meanwhile. Throws Error{out_of_memory} naming the
/// operation where not even one does.
[[nodiscard]] inline std::int64_t chunk_that_fits(std::int64_t wanted, std::int64_t bytes_each,
                                                  std::int64_t bytes_fixed, const std::string& operation) {
  const std::int64_t free = free_memory() / 5 * 4;
  const std::int64_t room = free > bytes_fixed ? (free - bytes_fixed) / std::max<std::int64_t>(bytes_each, 1) : 0;
  if (room < 1 && wanted > 0)
    throw Error(ErrorCode::out_of_memory,
                operation + ": needs " + std::to_string((bytes_fixed + bytes_each) / 1'000'000) +
                    " MB of the device's memory at once, more than the " + std::to_string(free / 1'000'000) +
                    " MB that may be taken; use a device with more memory, or device='cpu'");
  return std::min(wanted, room);
}

}  // namespace recocore::cuda
