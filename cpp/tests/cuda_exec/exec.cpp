#include "cuda_exec/exec.hpp"

#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "cuda_exec/fiber.hpp"
#include "recocore/error.hpp"

#if defined(RECOCORE_EXEC_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

namespace recocore::cuda {

Index threadIdx{}, blockIdx{}, blockDim{}, gridDim{};

namespace exec {
namespace {

constexpr int kLanes = 32;
constexpr int kMostThreads = 1024;

std::int64_t environment(const char* name, std::int64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr || *text == '\0' ? otherwise : std::strtoll(text, nullptr, 10);
}

// The thread sanitizer sees each fiber as a thread, and orders them only where CUDA does.
void release(void* point) {
#if defined(RECOCORE_EXEC_TSAN)
  __tsan_release(point);
#else
  static_cast<void>(point);
#endif
}
void acquire(void* point) {
#if defined(RECOCORE_EXEC_TSAN)
  __tsan_acquire(point);
#else
  static_cast<void>(point);
#endif
}

/// xorshift64*: quick, and the same everywhere.
class Shuffle {
 public:
  explicit Shuffle(std::uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15U + 0x632be59bd9b4e019U) {
    for (int i = 0; i < 4; ++i) below(2);
  }
  /// A number below n, which is less than 2^31.
  std::size_t below(std::size_t n) {
    state_ ^= state_ >> 12U;
    state_ ^= state_ << 25U;
    state_ ^= state_ >> 27U;
    return static_cast<std::size_t>(((state_ * 0x2545f4914f6cdd1dU) >> 33U) * n >> 31U);
  }

 private:
  std::uint64_t state_;
};

/// What a lane brought to an operation of its warp, while it waits for the others.
struct Waiting {
  unsigned mask = 0;  // 0: it does not wait
  std::uint64_t value = 0;
  int source = 0;
  const char* operation = "";
  Site site;
};

struct Warp {
  std::array<Waiting, kLanes> lanes;
  std::array<std::uint64_t, kLanes> delivered{};
  unsigned present = 0;
  unsigned exited = 0;
  unsigned delivered_count = 0;
  unsigned waiting = 0;            // lanes that do
  const Waiting* alike = nullptr;  // one of them, where all came with its mask to its operation
};

std::string place(const Site& site) {
  const std::string path = site.file_name();
  return path.substr(path.find_last_of('/') + 1) + ":" + std::to_string(site.line());
}

std::string hexadecimal(unsigned mask) {
  constexpr const char* kDigits = "0123456789abcdef";
  std::string text = "0x";
  for (int shift = 28; shift >= 0; shift -= 4) text += kDigits[(mask >> static_cast<unsigned>(shift)) & 15U];
  return text;
}

std::string ended(const char* operation, const Site& site, unsigned mask) {
  return std::string(operation) + " of " + place(site) + ": mask " + hexadecimal(mask) + " names a lane that has ended";
}

/// Leaves the thread that found a mistake.
struct Failed {};

class Grid {
 public:
  void run(std::int64_t blocks, int threads, std::int64_t shared_bytes, void (*body)(void*), void* arguments);

  void wait_block(const Site& site);
  std::uint64_t wait_lanes(unsigned mask, std::uint64_t value, int source, const char* operation, const Site& site);
  void interleave();
  void* shared(const void* key, std::size_t bytes);
  void* dynamic() { return shared(this, static_cast<std::size_t>(shared_bytes_)); }

  /// The sanitizer's point of order of the warp's next operation; two take turns, as for barriers.
  [[nodiscard]] char* warp_order() {
    const Warp& warp = warps_[warp_of(current_)];
    return &warp_order_[warp_of(current_)][warp.delivered_count % 2];
  }
  [[nodiscard]] int lane() const { return current_ % kLanes; }
  [[nodiscard]] int width() const { return std::popcount(warps_[warp_of(current_)].present); }
  std::int64_t blocks_run = 0;

 private:
  static std::size_t warp_of(int thread) { return static_cast<std::size_t>(thread / kLanes); }
  static void thread_body();
  void run_thread();
  void run_block(std::int64_t block);
  /// Lets another thread run until this one is chosen again.
  void wait() {
    Fiber& mine = *fibers_[static_cast<std::size_t>(current_)];
    if (ready_.empty() || !failure_.empty()) return mine.leave();
    const int before = current_;
    choose();
    if (current_ != before) mine.hop(*fibers_[static_cast<std::size_t>(current_)]);
  }
  /// Makes one of those that can go on the present thread.
  void choose() {
    std::swap(ready_[shuffle_.below(ready_.size())], ready_.back());
    current_ = ready_.back();
    ready_.pop_back();
    threadIdx.x = static_cast<unsigned>(current_);
  }
  void deliver(Warp& warp, std::size_t first, unsigned lanes);
  /// Ends the launch with a message: threads are left where they are, and nothing of theirs needs a destructor.
  [[noreturn]] void fail(const std::string& message);
  [[nodiscard]] std::string stuck() const;

  std::vector<std::unique_ptr<Fiber>> fibers_;
  Shuffle shuffle_{1};
  int threads_ = 0;
  std::int64_t shared_bytes_ = 0;
  void (*body_)(void*) = nullptr;
  void* arguments_ = nullptr;

  int current_ = 0;
  int exited_ = 0;
  std::vector<int> ready_;
  std::vector<Warp> warps_;
  int at_barrier_ = 0;
  std::uint64_t barriers_ = 0;
  Site barrier_;
  std::string failure_;
  std::array<std::array<char, 2>, kMostThreads / kLanes> warp_order_{};
  std::vector<std::pair<const void*, std::unique_ptr<char[]>>> shared_;
  char launched_ = 0, finished_ = 0, allocation_ = 0, barrier_order_[2] = {};  // the sanitizer's points of order
};

Grid grid;
std::mutex one_at_a_time;

void Grid::thread_body() {
  try {
    grid.run_thread();
  } catch (const Failed&) {
    // The launch ends; the message is in failure_.
  }
}

void Grid::run_thread() {
  acquire(&launched_);
  body_(arguments_);
  release(&finished_);
  ++exited_;
  Warp& warp = warps_[warp_of(current_)];
  const auto me = static_cast<unsigned>(lane());
  warp.exited |= 1U << me;
  for (const Waiting& waiting : warp.lanes)
    if ((waiting.mask >> me & 1U) != 0) fail(ended(waiting.operation, waiting.site, waiting.mask));
}

void Grid::run(std::int64_t blocks, int threads, std::int64_t shared_bytes, void (*body)(void*), void* arguments) {
  const auto refuse = [](const std::string& what) { throw Error(ErrorCode::device, "launch: " + what); };
  if (blocks < 1 || blocks > settings().most_blocks)
    refuse("expected 1 to " + std::to_string(settings().most_blocks) + " blocks, got " + std::to_string(blocks));
  if (threads < 1 || threads > kMostThreads)
    refuse("expected 1 to " + std::to_string(kMostThreads) + " threads a block, got " + std::to_string(threads));
  while (std::ssize(fibers_) < threads) fibers_.push_back(std::make_unique<Fiber>(&Grid::thread_body));
  shuffle_ = Shuffle(settings().seed);
  threads_ = threads;
  shared_bytes_ = shared_bytes;
  body_ = body;
  arguments_ = arguments;
  gridDim.x = static_cast<unsigned>(blocks);
  blockDim.x = static_cast<unsigned>(threads);
  release(&launched_);
  // Every block once: an odd step through a power of two, past those beyond the end.
  const auto all = std::bit_ceil(static_cast<std::uint64_t>(blocks));
  const std::uint64_t step = 2 * shuffle_.below(1U << 20U) + 1;
  std::uint64_t at = shuffle_.below(1U << 20U) % all;
  for (std::uint64_t i = 0; i < all; ++i, at = (at + step) % all) {
    if (at >= static_cast<std::uint64_t>(blocks)) continue;
    run_block(static_cast<std::int64_t>(at));
    if (failure_.empty()) continue;
    for (const auto& fiber : fibers_) fiber->reset();
    throw Error(ErrorCode::device, "cuda_exec: " + std::exchange(failure_, {}) + " (block " + std::to_string(at) +
                                       ", seed " + std::to_string(settings().seed) + ")");
  }
}

void Grid::run_block(std::int64_t block) {
  ++blocks_run;
  blockIdx.x = static_cast<unsigned>(block);
  exited_ = 0;
  at_barrier_ = 0;
  warps_.assign(static_cast<std::size_t>((threads_ + kLanes - 1) / kLanes), {});
  ready_.resize(static_cast<std::size_t>(threads_));
  for (int t = 0; t < threads_; ++t) {
    ready_[static_cast<std::size_t>(t)] = t;
    warps_[warp_of(t)].present |= 1U << static_cast<unsigned>(t % kLanes);
  }
  while (!ready_.empty() && failure_.empty()) {
    choose();
    fibers_[static_cast<std::size_t>(current_)]->resume();
  }
  if (failure_.empty() && exited_ != threads_) failure_ = stuck();
  acquire(&finished_);  // all that the block did comes before its memory goes
  shared_.clear();
}

void Grid::fail(const std::string& message) {
  failure_ = message;
  throw Failed();
}

std::string Grid::stuck() const {
  std::string message = std::to_string(exited_) + " of " + std::to_string(threads_) + " threads ended";
  if (at_barrier_ > 0)
    message += ", " + std::to_string(at_barrier_) + " wait at the barrier of " + place(barrier_) +
               " that the others do not reach";
  for (std::size_t w = 0; w < warps_.size(); ++w)
    for (std::size_t l = 0; l < kLanes; ++l)
      if (const Waiting& waiting = warps_[w].lanes[l]; waiting.mask != 0)
        return message + ", thread " + std::to_string(w * kLanes + l) + " waits in " + waiting.operation + " of " +
               place(waiting.site) + " for lanes of mask " + hexadecimal(waiting.mask) + " that do not come";
  return message;
}

void Grid::wait_block(const Site& site) {
  if (at_barrier_ > 0 && (barrier_.line() != site.line() || std::strcmp(barrier_.file_name(), site.file_name()) != 0))
    fail("threads of a block wait at different barriers, " + place(barrier_) + " and " + place(site));
  // Barriers take turns: a thread that still leaves one must not learn what others have done up to the next.
  char* const order = &barrier_order_[barriers_ % 2];
  release(order);
  barrier_ = site;
  if (++at_barrier_ == threads_) {
    at_barrier_ = 0;
    ++barriers_;
    for (int t = 0; t < threads_; ++t)
      if (t != current_) ready_.push_back(t);
    // Who came last need not go on first.
    ready_.push_back(current_);
  }
  wait();
  acquire(order);
}

std::uint64_t Grid::wait_lanes(unsigned mask, std::uint64_t value, int source, const char* operation,
                               const Site& site) {
  Warp& warp = warps_[warp_of(current_)];
  const auto me = static_cast<unsigned>(lane());
  const auto refuse = [&](const std::string& what) {
    fail(std::string(operation) + " of " + place(site) + ": " + what);
  };
  if ((mask >> me & 1U) == 0) refuse("lane " + std::to_string(me) + " is not in its own mask " + hexadecimal(mask));
  const unsigned expected = mask & warp.present;
  if ((expected & warp.exited) != 0) fail(ended(operation, site, mask));
  const bool joins = warp.waiting == 0 || (warp.alike != nullptr && warp.alike->mask == mask &&
                                           warp.alike->operation == operation && (warp.waiting & ~mask) == 0);
  for (unsigned l = 0; l < kLanes && !joins; ++l) {
    const Waiting& other = warp.lanes[l];
    if (other.mask == 0) continue;
    const bool wanted = (mask >> l & 1U) != 0;
    const bool wants = (other.mask >> me & 1U) != 0;
    if ((wanted || wants) && other.mask != mask)
      refuse("lanes of a warp came with the masks " + hexadecimal(mask) + " and " + hexadecimal(other.mask));
    if (wanted && std::strcmp(other.operation, operation) != 0)
      refuse("other lanes of the mask came to " + std::string(other.operation) + " of " + place(other.site));
  }
  warp.lanes[me] = {mask, value, source, operation, site};
  warp.alike = joins ? &warp.lanes[me] : nullptr;
  warp.waiting |= 1U << me;
  unsigned here = warp.waiting;
  for (unsigned l = 0; l < kLanes && !joins; ++l)
    if (warp.lanes[l].mask != mask) here &= ~(1U << l);
  if (here == expected) deliver(warp, warp_of(current_), here);
  wait();
  return warps_[warp_of(current_)].delivered[static_cast<std::size_t>(lane())];
}

void Grid::deliver(Warp& warp, std::size_t number, unsigned lanes) {
  unsigned votes = 0;
  for (unsigned l = 0; l < kLanes; ++l)
    if ((lanes >> l & 1U) != 0 && warp.lanes[l].value != 0) votes |= 1U << l;
  for (unsigned l = 0; l < kLanes; ++l) {
    if ((lanes >> l & 1U) == 0) continue;
    const Waiting& waiting = warp.lanes[l];
    const int source = waiting.source;
    if (source >= 0 && (source >= kLanes || (lanes >> static_cast<unsigned>(source) & 1U) == 0))
      fail(std::string(waiting.operation) + " of " + place(waiting.site) + ": lane " + std::to_string(l) +
           " reads lane " + std::to_string(source) + ", which takes no part in it");
    warp.delivered[l] = source < 0 ? votes : warp.lanes[static_cast<std::size_t>(source)].value;
    ready_.push_back(static_cast<int>(number * kLanes + l));
  }
  for (unsigned l = 0; l < kLanes; ++l)
    if ((lanes >> l & 1U) != 0) warp.lanes[l].mask = 0;
  warp.waiting &= ~lanes;
  warp.alike = nullptr;
  ++warp.delivered_count;
}

void Grid::interleave() {
  if (shuffle_.below(16) != 0) return;
  ready_.push_back(current_);
  wait();
}

void* Grid::shared(const void* key, std::size_t bytes) {
  acquire(&allocation_);
  for (const auto& [known, memory] : shared_)
    if (known == key) return memory.get();
  auto memory = std::make_unique_for_overwrite<char[]>(bytes);
  for (std::size_t b = 0; b < bytes; ++b) memory[b] = static_cast<char>(0xff);
  release(&allocation_);  // or whoever uses it would race with the allocation
  return shared_.emplace_back(key, std::move(memory)).second.get();
}

}  // namespace

Settings& settings() {
  static Settings chosen{static_cast<std::uint64_t>(environment("RECOCORE_CUDA_EXEC_SEED", 1)),
                         environment("RECOCORE_CUDA_EXEC_MAX_BLOCKS", 2147483647),
                         environment("RECOCORE_CUDA_EXEC_MEMORY", std::int64_t{1} << 32),
                         environment("RECOCORE_CUDA_EXEC_TENSOR_CORES", 1) != 0};
  return chosen;
}

std::int64_t blocks_run() {
  return grid.blocks_run;
}

void run_grid(std::int64_t blocks, int threads, std::int64_t shared_bytes, void (*body)(void*), void* arguments) {
  const std::lock_guard lock(one_at_a_time);
  grid.run(blocks, threads, shared_bytes, body, arguments);
}

void* shared_memory(const void* key, std::size_t bytes) {
  return grid.shared(key, bytes);
}
void* dynamic_shared_memory() {
  return grid.dynamic();
}
void wait_block(const Site& site) {
  grid.wait_block(site);
}
std::uint64_t exchange(unsigned mask, std::uint64_t value, int source, const char* operation, const Site& site) {
  return grid.wait_lanes(mask, value, source < 0 ? kLanes : source, operation, site);
}
unsigned vote(unsigned mask, bool predicate, const char* operation, const Site& site) {
  return static_cast<unsigned>(grid.wait_lanes(mask, predicate ? 1 : 0, -1, operation, site));
}
void wait_warp(unsigned mask, const Site& site) {
  char* const order = grid.warp_order();
  release(order);
  grid.wait_lanes(mask, 0, -1, "__syncwarp", site);
  acquire(order);
}
void interleave() {
  grid.interleave();
}
int lane() {
  return grid.lane();
}
int width() {
  return grid.width();
}

}  // namespace exec
}  // namespace recocore::cuda
