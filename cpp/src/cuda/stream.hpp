// The stream that an operation runs on: the caller's, or one of its own.
#pragma once

#include <optional>

#include "cuda/runtime.hpp"

namespace recocore::cuda {

class Stream {
 public:
  /// The given stream, which somebody else owns, or a new one that ends with this.
  explicit Stream(std::optional<StreamHandle> given)
      : handle_(given ? *given : create_stream()), owned_(!given.has_value()) {}
  ~Stream() {
    if (owned_) destroy_stream(handle_);
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  [[nodiscard]] StreamHandle handle() const noexcept { return handle_; }

 private:
  StreamHandle handle_;
  bool owned_;
};

}  // namespace recocore::cuda
