#include "recocore/thread_pool.hpp"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#ifdef __linux__
#include <sched.h>
#endif

#include "recocore/error.hpp"

namespace recocore {
namespace {

using Clock = std::chrono::steady_clock;
using Body = std::function<void(std::int64_t, std::int64_t, int)>;

constexpr auto kPollInterval = std::chrono::milliseconds(50);
// How long a caller that has run out of chunks looks for its helpers to be done before it goes to sleep: to be woken
// takes longer than what they still have to do where chunks are short.
constexpr auto kLookInterval = std::chrono::microseconds(20);
constexpr int kMaxThreads = 1024;

struct Job;

/// The job that this thread runs a chunk of, for checkpoint(); chunks nest where a body calls parallel_for.
struct Working {
  Working(Job& job_, bool is_caller_) : job(&job_), is_caller(is_caller_), outer(current) { current = this; }
  ~Working() { current = outer; }
  Working(const Working&) = delete;
  Working& operator=(const Working&) = delete;

  Job* job;
  bool is_caller;
  Working* outer;

  static thread_local Working* current;
};

thread_local Working* Working::current = nullptr;

/// One parallel_for: chunks are handed out by a counter until it reaches the end or something fails.
struct Job {
  Job(const Body& body_, Monitor* monitor_, std::int64_t count_, std::int64_t grain_, int helpers_)
      : body(body_), monitor(monitor_), count(count_), grain(grain_), helpers_wanted(helpers_) {}

  const Body& body;
  Monitor* const monitor;
  const std::int64_t count;
  const std::int64_t grain;
  std::atomic<std::int64_t> next{0};
  std::atomic<std::int64_t> done{0};
  std::atomic<bool> stop{false};
  Clock::time_point last_poll = Clock::now();  // the calling thread's own

  // Guarded by the pool's mutex.
  int helpers_wanted;
  int helpers_joined = 0;
  std::atomic<int> helpers_active{0};  // looked at without the mutex, too
  std::condition_variable idle;

  std::mutex error_mutex;
  std::exception_ptr error;

  [[nodiscard]] double fraction_done() const {
    return static_cast<double>(done.load(std::memory_order_relaxed)) / static_cast<double>(count);
  }

  void fail(std::exception_ptr exception) noexcept {
    stop.store(true, std::memory_order_relaxed);
    const std::lock_guard lock(error_mutex);
    if (!error) error = std::move(exception);
  }

  /// Asks the monitor, at most every poll interval; only on the calling thread.
  void poll() noexcept {
    if (monitor == nullptr || stop.load(std::memory_order_relaxed)) return;
    if (Clock::now() - last_poll < kPollInterval) return;
    try {
      monitor->poll(fraction_done());
    } catch (...) {
      fail(std::current_exception());
    }
    last_poll = Clock::now();
  }

  /// Runs one chunk; false when there is none left.
  bool run_chunk(int worker) {
    if (stop.load(std::memory_order_relaxed)) return false;
    const std::int64_t begin = next.fetch_add(grain, std::memory_order_relaxed);
    if (begin >= count) return false;
    const std::int64_t end = std::min(begin + grain, count);
    const Working working(*this, worker == 0);
    try {
      body(begin, end, worker);
    } catch (...) {
      fail(std::current_exception());
      return false;
    }
    done.fetch_add(end - begin, std::memory_order_relaxed);
    return true;
  }
};

/// Threads that live as long as the process and help with whichever job still wants help.
class Pool {
 public:
  void submit(const std::shared_ptr<Job>& job) {
    {
      const std::lock_guard lock(mutex_);
      while (threads_ < job->helpers_wanted) {
        std::thread([this] { serve(); }).detach();
        ++threads_;
      }
      jobs_.push_back(job);
    }
    wake_.notify_all();
  }

  /// Withdraws the job, then waits until no helper runs it, polling its monitor.
  void finish(const std::shared_ptr<Job>& job) {
    std::unique_lock lock(mutex_);
    std::erase(jobs_, job);
    if (job->helpers_active > 0) {
      lock.unlock();
      const auto last_look = Clock::now() + kLookInterval;
      while (job->helpers_active.load(std::memory_order_acquire) > 0 && Clock::now() < last_look) {
      }
      lock.lock();
    }
    while (job->helpers_active > 0) {
      job->idle.wait_for(lock, kPollInterval);
      if (job->helpers_active == 0) break;
      lock.unlock();
      job->poll();
      lock.lock();
    }
  }

 private:
  void serve() {
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return !jobs_.empty(); });
      const std::shared_ptr<Job> job = jobs_.front();
      const int worker = ++job->helpers_joined;
      ++job->helpers_active;
      if (job->helpers_joined == job->helpers_wanted) jobs_.pop_front();
      lock.unlock();
      while (job->run_chunk(worker)) {
      }
      lock.lock();
      if (--job->helpers_active == 0) job->idle.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<Job>> jobs_;
  int threads_ = 0;
};

// The pool is never destroyed: its threads may outlive every static object. A forked child has none of the parent's
// threads, so it leaves the parent's pool alone and makes its own at the next call.
std::mutex pool_mutex;
Pool* current_pool = nullptr;

Pool& pool() {
  static std::once_flag fork_handlers;
  std::call_once(fork_handlers, [] {
    pthread_atfork([] { pool_mutex.lock(); }, [] { pool_mutex.unlock(); },
                   [] {
                     current_pool = nullptr;
                     pool_mutex.unlock();
                   });
  });
  const std::lock_guard lock(pool_mutex);
  if (current_pool == nullptr) current_pool = new Pool;
  return *current_pool;
}

}  // namespace

int available_cores() noexcept {
#ifdef __linux__
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
#endif
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

int resolve_threads(int requested) {
  require(requested >= 0 && requested <= kMaxThreads, [&] {
    return "num_threads: expected 0 (one for each core) to " + std::to_string(kMaxThreads) + ", got " +
           std::to_string(requested);
  });
  return requested == 0 ? available_cores() : requested;
}

void parallel_for(const Execution& execution, std::int64_t count, std::int64_t grain, const Body& body) {
  const int threads = resolve_threads(execution.num_threads);
  if (count <= 0) return;
  grain = std::max<std::int64_t>(1, grain);
  const std::int64_t chunks = (count - 1) / grain + 1;
  const int helpers = static_cast<int>(std::min<std::int64_t>(threads, chunks)) - 1;

  const auto job = std::make_shared<Job>(body, execution.monitor, count, grain, helpers);
  if (helpers > 0) pool().submit(job);
  while (job->run_chunk(0)) job->poll();
  if (helpers > 0) pool().finish(job);
  if (job->error) std::rethrow_exception(job->error);
}

void checkpoint() {
  const Working* working = Working::current;
  if (working == nullptr) return;
  if (working->is_caller) working->job->poll();
  // The job keeps the first error, which is the reason; this only ends the chunk.
  if (working->job->stop.load(std::memory_order_relaxed))
    throw Error(ErrorCode::cancelled, "the computation was stopped");
}

}  // namespace recocore
