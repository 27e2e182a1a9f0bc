// Runs a computation with the GIL released; Ctrl-C and an exception of the progress callback stop it.
#pragma once

#include <pybind11/pybind11.h>

#include <cxxabi.h>
#include <unistd.h>

#include <exception>
#include <optional>
#include <utility>

#include "recocore/thread_pool.hpp"

namespace recocore::bindings {

namespace py = pybind11;

/// Stops a thread that asked for the GIL while the interpreter shuts down. Python ends such a thread by unwinding its
/// stack, but other threads may still work on what lies on it; so it waits here for the process to end, as it does from
/// Python 3.14 on.
[[noreturn]] inline void park() {
  for (;;) pause();
}

/// Asks Python for pending signals and tells the callback, when there is one, the part done.
class PythonMonitor final : public Monitor {
 public:
  explicit PythonMonitor(py::object progress) : progress_(std::move(progress)) {}

  void poll(double fraction_done) override {
    try {
      const py::gil_scoped_acquire gil;
      if (PyErr_CheckSignals() != 0) throw py::error_already_set();
      if (!progress_.is_none()) progress_(fraction_done);
    } catch (abi::__forced_unwind&) {
      park();
    }
  }

 private:
  py::object progress_;
};

/// The time without the GIL.
class Released {
 public:
  Released() : state_(PyEval_SaveThread()) {}
  Released(const Released&) = delete;
  Released& operator=(const Released&) = delete;

  /// Takes the GIL back; must be called.
  void end() {
    try {
      PyEval_RestoreThread(state_);
    } catch (abi::__forced_unwind&) {
      park();
    }
  }

 private:
  PyThreadState* state_;
};

/// Calls compute(Execution) without the GIL and returns what it returns, which must not be a Python object. `wanted`
/// says all but the monitor.
template <typename Compute>
auto run_released(Execution wanted, py::object progress, Compute&& compute) {
  PythonMonitor monitor(std::move(progress));
  wanted.monitor = &monitor;
  const Execution& execution = wanted;
  std::optional<decltype(compute(execution))> result;
  std::exception_ptr error;
  Released released;
  try {
    result.emplace(std::forward<Compute>(compute)(execution));
  } catch (...) {
    error = std::current_exception();
  }
  released.end();
  if (error) std::rethrow_exception(error);
  return std::move(*result);
}

template <typename Compute>
auto run_released(int num_threads, py::object progress, Compute&& compute) {
  return run_released(Execution{num_threads, nullptr}, std::move(progress), std::forward<Compute>(compute));
}

}  // namespace recocore::bindings
