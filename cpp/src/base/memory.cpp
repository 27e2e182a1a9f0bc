#include "recocore/memory.hpp"

#include <algorithm>
#include <fstream>
#include <limits>

#include "recocore/error.hpp"

namespace recocore {
namespace {

constexpr std::int64_t kUnknown = std::numeric_limits<std::int64_t>::max();

/// The number after `key` in a file of "key number" lines, or the file's first number for an empty key; kUnknown
/// without it.
std::int64_t number_in(const char* path, std::string_view key) {
  std::ifstream file(path);
  for (std::string word; file >> word;) {
    std::int64_t number = 0;
    if (key.empty()) return word.find_first_not_of("0123456789") == std::string::npos ? std::stoll(word) : kUnknown;
    if (word == key) return file >> number ? number : kUnknown;
  }
  return kUnknown;
}

/// What a version 2 control group leaves, counting the file cache that it can drop.
std::int64_t left_in_control_group() {
  const std::int64_t limit = number_in("/sys/fs/cgroup/memory.max", "");
  const std::int64_t used = number_in("/sys/fs/cgroup/memory.current", "");
  if (limit == kUnknown || used == kUnknown) return kUnknown;
  const std::int64_t cache = number_in("/sys/fs/cgroup/memory.stat", "inactive_file");
  return std::max<std::int64_t>(0, limit - used + (cache == kUnknown ? 0 : cache));
}

std::string in_megabytes(std::int64_t bytes) {
  return std::to_string(bytes / 1'000'000) + " MB";
}

}  // namespace

std::int64_t available_memory() noexcept {
  try {
    const std::int64_t kilobytes = number_in("/proc/meminfo", "MemAvailable:");
    const std::int64_t machine = kilobytes == kUnknown ? kUnknown : kilobytes * 1024;
    return std::min(machine, left_in_control_group());
  } catch (...) {  // an unreadable figure must not stop a computation that may well fit
    return kUnknown;
  }
}

void MemoryBudget::take(std::int64_t count, std::int64_t size, std::string_view next_step) {
  const std::int64_t bytes = size != 0 && count > kUnknown / size ? kUnknown : count * size;
  const std::lock_guard lock(mutex_);
  if (bytes > limit_ - taken_ && !asked_) {
    limit_ = std::max(limit_, available_());
    asked_ = true;
  }
  if (bytes > limit_ - taken_) {
    throw Error(ErrorCode::out_of_memory, operation_ + ": needs " + in_megabytes(bytes) + " beside the " +
                                              in_megabytes(taken_) + " in use, more than the " + in_megabytes(limit_) +
                                              " that are free; " + std::string(next_step));
  }
  taken_ += bytes;
}

}  // namespace recocore
