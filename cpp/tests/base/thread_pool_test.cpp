#include "recocore/thread_pool.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

#include "recocore/error.hpp"

using recocore::Error;
using recocore::Execution;
using recocore::parallel_for;

namespace {

class StopAt final : public recocore::Monitor {
 public:
  explicit StopAt(int calls) : calls_left_(calls) {}
  void poll(double fraction_done) override {
    CHECK(fraction_done >= 0);
    CHECK(fraction_done <= 1);
    if (--calls_left_ <= 0) throw Error(recocore::ErrorCode::cancelled, "stopped");
  }

 private:
  int calls_left_;
};

std::int64_t sum_to(std::int64_t n, int threads) {
  std::atomic<std::int64_t> sum{0};
  parallel_for({threads}, n, 7, [&](std::int64_t begin, std::int64_t end, int) {
    std::int64_t part = 0;
    for (std::int64_t i = begin; i < end; ++i) part += i;
    sum += part;
  });
  return sum;
}

}  // namespace

TEST_CASE("every index is visited once, at any thread count") {
  for (const int threads : {0, 1, 2, 7, 33}) {
    for (const std::int64_t count : {0, 1, 6, 7, 8, 1000}) {
      std::vector<std::atomic<int>> visits(static_cast<std::size_t>(count));
      parallel_for({threads}, count, 7, [&](std::int64_t begin, std::int64_t end, int worker) {
        CHECK(worker >= 0);
        CHECK(worker < recocore::resolve_threads(threads));
        for (std::int64_t i = begin; i < end; ++i) ++visits[static_cast<std::size_t>(i)];
      });
      for (const auto& v : visits) CHECK(v == 1);
    }
  }
}

TEST_CASE("no two chunks share a worker at the same time") {
  std::vector<std::atomic<int>> busy(7);
  parallel_for({7}, 200, 1, [&](std::int64_t, std::int64_t, int worker) {
    CHECK(busy[static_cast<std::size_t>(worker)]++ == 0);
    std::this_thread::yield();
    --busy[static_cast<std::size_t>(worker)];
  });
}

TEST_CASE("the first exception reaches the caller and stops the rest") {
  std::atomic<int> chunks{0};
  CHECK_THROWS_AS(parallel_for({4}, 1'000'000, 1,
                               [&](std::int64_t, std::int64_t, int) {
                                 ++chunks;
                                 throw std::runtime_error("chunk failed");
                               }),
                  std::runtime_error);
  CHECK(chunks <= 4);
  CHECK(sum_to(100, 4) == 4950);
}

TEST_CASE("a monitor is polled and can stop the computation within a second") {
  for (const int threads : {1, 3}) {
    StopAt monitor(2);
    const auto start = std::chrono::steady_clock::now();
    CHECK_THROWS_AS(parallel_for({threads, &monitor}, 100'000, 1,
                                 [](std::int64_t, std::int64_t, int) {
                                   std::this_thread::sleep_for(std::chrono::milliseconds(5));
                                 }),
                    Error);
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(1));
  }
}

TEST_CASE("a checkpoint lets one long chunk be stopped, on every thread, and keeps the monitor's reason") {
  for (const int threads : {1, 3}) {
    StopAt monitor(2);
    const auto start = std::chrono::steady_clock::now();
    CHECK_THROWS_WITH_AS(parallel_for({threads, &monitor}, threads, 1,
                                      [](std::int64_t, std::int64_t, int) {
                                        for (int i = 0; i < 10'000; ++i) {
                                          std::this_thread::sleep_for(std::chrono::milliseconds(1));
                                          recocore::checkpoint();
                                        }
                                      }),
                         "stopped", Error);
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(1));
  }
  recocore::checkpoint();  // outside a body it does nothing
}

TEST_CASE("calls may come from several threads and from inside a body") {
  std::vector<std::thread> callers;
  std::atomic<int> right{0};
  for (int caller = 0; caller < 6; ++caller)
    callers.emplace_back([&] {
      for (int i = 0; i < 20; ++i) right += sum_to(1000, 3) == 499'500 ? 1 : 0;
    });
  for (auto& caller : callers) caller.join();
  CHECK(right == 120);

  std::atomic<std::int64_t> nested{0};
  parallel_for({3}, 8, 1, [&](std::int64_t, std::int64_t, int) { nested += sum_to(100, 3); });
  CHECK(nested == 8 * 4950);
}

TEST_CASE("a forked child makes a pool of its own") {
  CHECK(sum_to(1000, 4) == 499'500);
  const pid_t child = fork();
  if (child == 0) _exit(sum_to(1000, 4) == 499'500 ? 0 : 1);
  int status = 1;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("a thread count out of range is refused by name") {
  CHECK_THROWS_WITH_AS(static_cast<void>(recocore::resolve_threads(-1)),
                       "num_threads: expected 0 (one for each core) to 1024, got -1", Error);
  CHECK_THROWS_AS(parallel_for({2000}, 1, 1, [](std::int64_t, std::int64_t, int) {}), Error);
  CHECK(recocore::resolve_threads(0) == recocore::available_cores());
}
