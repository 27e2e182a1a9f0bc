#include "recocore/finite_values.hpp"

#include <atomic>

#include "base/finite.hpp"

namespace recocore {

bool all_finite(std::span<const float> values, const Execution& execution) {
  // Some 10 us of reading: what a thread takes at a time.
  constexpr std::int64_t kGrain = 65'536;
  std::atomic<bool> finite{true};
  parallel_for(execution, std::ssize(values), kGrain, [&](std::int64_t begin, std::int64_t end, int) {
    checkpoint();
    if (!finite.load(std::memory_order_relaxed)) return;
    if (!all_finite(values.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin))))
      finite.store(false, std::memory_order_relaxed);
  });
  return finite.load();
}

}  // namespace recocore
