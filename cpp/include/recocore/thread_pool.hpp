#pragma once

#include <cstdint>
#include <functional>
#include <optional>

namespace recocore {

/// What a long computation asks of, and tells, the one who called it.
///
/// poll() runs on the calling thread only, at most every 50 ms, with the part done in [0, 1]; it throws to stop the
/// computation.
class Monitor {
 public:
  virtual ~Monitor() = default;
  virtual void poll(double fraction_done) = 0;
};

/// What computes.
enum class Device : std::uint8_t { cpu, cuda };

/// Where the dense matrices of a call lie, all of them: those that it reads and those that it writes.
enum class Memory : std::uint8_t {
  host,
  device,  ///< of Device::cuda, the present one
};

/// How a computation is to run: 0 threads means one for each core that this process may use.
struct Execution {
  int num_threads = 0;
  Monitor* monitor = nullptr;
  Device device = Device::cpu;
  Memory memory = Memory::host;
  // Named initializers that leave it out would be warned of without.
  // NOLINTNEXTLINE(readability-redundant-member-init)
  std::optional<std::uintptr_t> stream = {};  ///< of CUDA, as a number; nothing: one of the call's own
};

/// The number of cores that this process may run on (its affinity mask, not the machine's total).
[[nodiscard]] int available_cores() noexcept;

/// 0 becomes available_cores(); throws Error{invalid_argument} for a number outside [0, 1024].
[[nodiscard]] int resolve_threads(int requested);

/// Calls body(begin, end, worker) over [0, count) in chunks of `grain`; worker is in [0, resolved threads) and no two
/// calls with the same worker overlap, so it may index scratch memory. The calling thread takes part. Which worker gets
/// which chunk is not fixed: a result must not depend on it. The first exception of a body or of the monitor stops the
/// rest and is rethrown here. May be called from several threads at once, from inside a body, and after fork().
void parallel_for(const Execution& execution, std::int64_t count, std::int64_t grain,
                  const std::function<void(std::int64_t begin, std::int64_t end, int worker)>& body);

/// For a body whose chunk may run long: lets the computation that this thread works for poll its monitor, where this is
/// the calling thread, and throws where it was stopped. Cheap enough for every 10 microseconds of work; outside a body
/// nothing.
void checkpoint();

}  // namespace recocore
