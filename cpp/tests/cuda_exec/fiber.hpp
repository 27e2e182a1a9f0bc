// A stack of its own that a thread of a kernel runs on; the sanitizers are told of every switch.
#pragma once

#include <cstddef>

namespace recocore::cuda::exec {

/// Runs body() again and again: once from each start() to the next done(). Not movable: its stack points into it.
class Fiber {
 public:
  explicit Fiber(void (*body)());
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// Begins body() from its top, whatever it was doing.
  void reset();
  /// Leaves the scheduler for this fiber, until it calls leave().
  void resume();
  /// Leaves this fiber for the scheduler, from inside of it.
  void leave();
  /// Leaves this fiber for another one, which goes on or begins.
  void hop(Fiber& next);

 private:
  static void enter();
  void arrived(void* fake_stack);

  void (*body_)();
  char* stack_ = nullptr;
  char* top_ = nullptr;
  void* stack_pointer_ = nullptr;
  void* sanitizer_fiber_ = nullptr;
};

}  // namespace recocore::cuda::exec
