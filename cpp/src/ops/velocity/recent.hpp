// The events of a key that has few of them, as they came: all windows of the key look into one list.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "ops/velocity/plan.hpp"
#include "ops/velocity/record_pool.hpp"

namespace recocore::velocity {

/// Its records lie in a pool, which outlives it: whoever lets go of it calls release() before.
class Recent {
 public:
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] const std::uint64_t* record(const Plan& plan, std::size_t at) const noexcept {
    return block_ + plan.masks + at * plan.words;
  }
  [[nodiscard]] std::int64_t newest() const noexcept { return newest_; }
  /// The clock when the first of them came.
  [[nodiscard]] std::int64_t start() const noexcept { return start_; }

  /// Room for one more record, at the end: its writer calls added() then.
  std::uint64_t* add(const Plan& plan, RecordPool& pool, std::int64_t clock, std::int64_t time) {
    if (size_ == room_) grow(plan, pool);
    if (size_ == 0) {
      start_ = clock;
      newest_ = time;
      in_order_ = true;
      std::fill_n(block_, plan.masks, 0);
    }
    in_order_ = in_order_ && time >= newest_;
    newest_ = std::max(newest_, time);
    return block_ + plan.masks + size_++ * plan.words;
  }
  void added(const Plan& plan) noexcept {
    if (plan.masks > 0 && in_order_) plan.mark(block_, block_ + plan.masks, size_ - std::size_t{1});
  }
  /// Drops the events before a time, where the order in which ids came does not matter.
  void drop_before(const Plan& plan, std::int64_t time) noexcept;
  void clear() noexcept { size_ = 0; }
  void release(RecordPool& pool) {
    if (room_ > 0) pool.give_back(block_, room_);
    *this = Recent();
  }

  /// The features of an event as of a clock. `scratch` is for a key whose events are not in the order of time.
  void read(const Plan& plan, std::int64_t clock, const Taken& event, std::vector<std::uint64_t>& scratch) const;

  /// Asks for the memory beside this object.
  void prefetch(const Plan& plan) const noexcept {
    if (size_ > 0) prefetch_all(block_, plan.masks + size_ * plan.words);
  }
  /// What it counts for where memory is shared out: depends on its content alone.
  [[nodiscard]] std::size_t bytes(const Plan& plan) const noexcept { return plan.bytes[size_]; }

 private:
  void grow(const Plan& plan, RecordPool& pool);

  std::uint64_t* block_ = nullptr;  // masks, which are those of events in the order of time, and records
  std::int64_t newest_ = 0;
  std::int64_t start_ = 0;
  std::uint16_t size_ = 0;
  std::uint16_t room_ = 0;
  bool in_order_ = true;  // of time
};

}  // namespace recocore::velocity
