// What a computation on the device tells its monitor, on the calling thread and at most every 50 ms.
#pragma once

#include <chrono>

#include "cuda/runtime.hpp"
#include "recocore/thread_pool.hpp"

namespace recocore::cuda {

class Progress {
 public:
  Progress(const Execution& execution, StreamHandle stream) : monitor_(execution.monitor), stream_(stream) {}

  /// What was launched so far is so large a part of the whole. Throws what the monitor throws, which stops it.
  void report(double fraction_done) {
    if (monitor_ == nullptr) return;
    synchronize(stream_);  // or the host would run ahead, and stop nothing
    const auto now = std::chrono::steady_clock::now();
    if (now - last_ < std::chrono::milliseconds(50)) return;
    last_ = now;
    monitor_->poll(fraction_done);
  }

 private:
  Monitor* monitor_;
  StreamHandle stream_;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

}  // namespace recocore::cuda
