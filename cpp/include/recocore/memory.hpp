#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace recocore {

/// The bytes that this process may still use without pushing the machine, or its control group, out of memory.
/// INT64_MAX where the system does not say.
[[nodiscard]] std::int64_t available_memory() noexcept;

/// What one operation may still use. Asked before large allocations, it turns an out-of-memory kill into an error.
/// Threads may take from it together.
class MemoryBudget {
 public:
  explicit MemoryBudget(std::string operation, std::int64_t bytes = available_memory())
      : operation_(std::move(operation)), total_(bytes), left_(bytes) {}

  /// Sets bytes aside; throws Error{out_of_memory} naming the operation, the bytes and `next_step` if too few are left.
  void take(std::int64_t bytes, std::string_view next_step);

  /// Sets count x size bytes aside; a product beyond 64 bits is too much.
  void take(std::int64_t count, std::int64_t size, std::string_view next_step);

 private:
  std::string operation_;
  std::int64_t total_;
  std::atomic<std::int64_t> left_;
};

}  // namespace recocore
