// Scratch memory of the threads of one parallel_for.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "recocore/thread_pool.hpp"

namespace recocore {

/// One Scratch a worker, made by the worker when it first gets a chunk: a thread that gets none costs nothing.
template <typename Scratch>
class PerWorker {
 public:
  explicit PerWorker(const Execution& execution)
      : scratch_(static_cast<std::size_t>(resolve_threads(execution.num_threads))) {}

  template <typename Make>
  Scratch& get(int worker, const Make& make) {
    std::optional<Scratch>& mine = scratch_[static_cast<std::size_t>(worker)];
    if (!mine) mine.emplace(make());
    return *mine;
  }

  /// Calls body for what each worker made, in an order that does not depend on which chunks they got.
  template <typename Body>
  void for_each(const Body& body) const {
    for (const std::optional<Scratch>& theirs : scratch_)
      if (theirs) body(*theirs);
  }

 private:
  std::vector<std::optional<Scratch>> scratch_;
};

}  // namespace recocore
