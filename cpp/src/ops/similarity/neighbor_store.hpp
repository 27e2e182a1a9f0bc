#pragma once

#include <atomic>
#include <bit>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "recocore/csr.hpp"
#include "recocore/memory.hpp"
#include "recocore/thread_pool.hpp"

namespace recocore {

/// A neighbour as one number: a larger key is a higher score, or the same score and a lower id. So sorting keys sorts
/// neighbours in the order of every top-k result.
using NeighborKey = std::uint64_t;

/// The key of a score that is no NaN and no zero.
[[nodiscard]] inline NeighborKey neighbor_key(float score, std::int32_t id) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(score);
  const std::uint32_t ordered = (bits & 0x80000000U) != 0 ? ~bits : bits ^ 0x80000000U;  // rises with the score
  return (NeighborKey{ordered} << 32U) | ~static_cast<std::uint32_t>(id);
}

[[nodiscard]] inline float score_of(NeighborKey key) noexcept {
  const auto ordered = static_cast<std::uint32_t>(key >> 32U);
  return std::bit_cast<float>((ordered & 0x80000000U) != 0 ? ordered ^ 0x80000000U : ~ordered);
}

[[nodiscard]] inline std::int32_t id_of(NeighborKey key) noexcept {
  return static_cast<std::int32_t>(~static_cast<std::uint32_t>(key));
}

/// The best neighbours of every row, gathered in any order and from any thread.
///
/// A row keeps all that it is offered until there are half as many again as it needs and then drops the worst, so an
/// offer costs O(1) on average. Which neighbours stay depends on their keys alone.
class NeighborStore {
 public:
  /// Rows keep k neighbours, or all, with a score of at least `least`.
  NeighborStore(std::int64_t rows, std::optional<std::int64_t> k, float least, MemoryBudget& budget);

  /// A neighbour with a lower key is certainly not kept.
  [[nodiscard]] NeighborKey bound_key(std::int64_t row) const noexcept {
    return rows_[static_cast<std::size_t>(row)].bound.load(std::memory_order_relaxed);
  }
  [[nodiscard]] float bound(std::int64_t row) const noexcept { return score_of(bound_key(row)); }

  /// Leaves only those of a row's neighbours that it could keep if it had no others.
  void shorten(std::vector<NeighborKey>& keys) const;

  /// Takes in neighbours of a row and returns the row's bound.
  float offer(std::int64_t row, std::span<const NeighborKey> keys);

  /// The rows with columns rising; uses the store up.
  [[nodiscard]] CsrMatrix finish(std::int64_t columns, const Execution& execution);

 private:
  struct Row {
    std::vector<NeighborKey> keys;
    std::atomic<NeighborKey> bound;
    std::atomic<bool> busy;
  };

  void reserve(Row& row, std::size_t size);
  void keep_best(Row& row) const;

  std::optional<std::size_t> k_;
  std::size_t capacity_;
  std::vector<Row> rows_;
  MemoryBudget& budget_;
};

}  // namespace recocore
