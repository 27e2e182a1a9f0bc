#pragma once

#include <cstdint>
#include <mutex>
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
  /// So little that the system is not asked for what is left: a small question must stay fast.
  static constexpr std::int64_t kUnasked = std::int64_t{64} * 1024 * 1024;

  explicit MemoryBudget(std::string operation, std::int64_t (*available)() noexcept = &available_memory)
      : operation_(std::move(operation)), available_(available) {}

  /// Sets bytes aside; throws Error{out_of_memory} naming the operation, the bytes and `next_step` if too few are left.
  void take(std::int64_t bytes, std::string_view next_step) { take(bytes, 1, next_step); }

  /// Sets count x size bytes aside, neither negative; a product beyond 64 bits is too much.
  void take(std::int64_t count, std::int64_t size, std::string_view next_step);

 private:
  std::string operation_;
  std::int64_t (*available_)() noexcept;
  std::mutex mutex_;
  std::int64_t taken_ = 0;
  std::int64_t limit_ = kUnasked;
  bool asked_ = false;
};

}  // namespace recocore
