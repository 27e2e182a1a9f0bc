#pragma once

#include "recocore/thread_pool.hpp"

namespace recocore {

/// A part of a longer computation: what a monitor hears of it as the whole's progress.
class Stage : public Monitor {
 public:
  /// From `begin` to `end` of the whole. Polls at once, so that many short stages in a row can be stopped too.
  Stage(const Execution& whole, double begin, double end)
      : whole_(whole.monitor), begin_(begin), end_(end), execution_{whole.num_threads, whole_ ? this : nullptr} {
    if (whole_ != nullptr) whole_->poll(begin);
  }

  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  void poll(double fraction_done) override { whole_->poll(begin_ + (end_ - begin_) * fraction_done); }

  /// How to run the part.
  [[nodiscard]] const Execution& execution() const noexcept { return execution_; }

 private:
  Monitor* whole_;
  double begin_;
  double end_;
  Execution execution_;
};

}  // namespace recocore
