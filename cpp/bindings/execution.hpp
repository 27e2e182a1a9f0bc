// Runs a computation with the GIL released; Ctrl-C and an exception of the progress callback stop it.
#pragma once

#include <pybind11/pybind11.h>

#include <utility>

#include "recocore/thread_pool.hpp"

namespace recocore::bindings {

namespace py = pybind11;

/// Asks Python for pending signals and tells the callback, when there is one, the part done.
class PythonMonitor final : public Monitor {
 public:
  explicit PythonMonitor(py::object progress) : progress_(std::move(progress)) {}

  void poll(double fraction_done) override {
    const py::gil_scoped_acquire gil;
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
    if (!progress_.is_none()) progress_(fraction_done);
  }

 private:
  py::object progress_;
};

/// Calls compute(Execution) without the GIL and returns what it returns.
template <typename Compute>
auto run_released(int num_threads, py::object progress, Compute&& compute) {
  PythonMonitor monitor(std::move(progress));
  const Execution execution{num_threads, &monitor};
  const py::gil_scoped_release release;
  return std::forward<Compute>(compute)(execution);
}

}  // namespace recocore::bindings
