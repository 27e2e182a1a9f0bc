#include "ops/similarity/neighbor_store.hpp"

#include <algorithm>
#include <functional>
#include <limits>
#include <thread>
#include <utility>

#include "base/per_worker.hpp"
#include "ops/similarity/id_order.hpp"

namespace recocore {
namespace {

constexpr std::string_view kNextStep = "lower k, raise threshold or min_support, or compare fewer rows";

/// Holds a row while it changes. Two threads seldom want the same row, and never for long.
class Holding {
 public:
  explicit Holding(std::atomic<bool>& busy) noexcept : busy_(busy) {
    while (busy_.exchange(true, std::memory_order_acquire)) std::this_thread::yield();
  }
  ~Holding() { busy_.store(false, std::memory_order_release); }
  Holding(const Holding&) = delete;
  Holding& operator=(const Holding&) = delete;

 private:
  std::atomic<bool>& busy_;
};

}  // namespace

NeighborStore::NeighborStore(std::int64_t rows, std::optional<std::int64_t> k, float least, MemoryBudget& budget)
    : budget_(budget) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  if (k && *k < kMost / 2) k_ = static_cast<std::size_t>(*k);
  capacity_ = k_ ? *k_ + std::max<std::size_t>(16, *k_ / 2) : std::numeric_limits<std::size_t>::max();
  budget_.take(rows, sizeof(Row), kNextStep);
  rows_ = std::vector<Row>(static_cast<std::size_t>(rows));
  for (Row& row : rows_) row.bound.store(neighbor_key(least, std::numeric_limits<std::int32_t>::max()));
}

float NeighborStore::offer(std::int64_t r, std::span<const NeighborKey> keys) {
  Row& row = rows_[static_cast<std::size_t>(r)];
  const Holding holding(row.busy);
  if (row.keys.empty() && std::ssize(keys) > 1) reserve(row, std::min(keys.size(), capacity_));
  for (const NeighborKey key : keys) {
    if (key < row.bound.load(std::memory_order_relaxed)) continue;
    if (row.keys.size() == row.keys.capacity())
      reserve(row, std::min(capacity_, std::max<std::size_t>(8, 2 * row.keys.size())));
    row.keys.push_back(key);
    if (row.keys.size() == capacity_) keep_best(row);
  }
  // Many at once are most of what a row will keep: its bound is worth knowing at once, since all that are offered one
  // by one later are measured by it.
  if (keys.size() > 1) keep_best(row);
  return score_of(row.bound.load(std::memory_order_relaxed));
}

void NeighborStore::shorten(std::vector<NeighborKey>& keys) const {
  if (!k_ || keys.size() <= *k_) return;
  const auto end = keys.begin() + static_cast<std::ptrdiff_t>(*k_);
  std::nth_element(keys.begin(), end - 1, keys.end(), std::greater<>());
  keys.erase(end, keys.end());
}

void NeighborStore::reserve(Row& row, std::size_t size) {
  budget_.take(static_cast<std::int64_t>(size - row.keys.capacity()), sizeof(NeighborKey), kNextStep);
  row.keys.reserve(size);
}

void NeighborStore::keep_best(Row& row) const {
  if (!k_ || row.keys.size() < *k_) return;
  shorten(row.keys);
  row.bound.store(*std::min_element(row.keys.begin(), row.keys.end()), std::memory_order_relaxed);
}

CsrMatrix NeighborStore::finish(std::int64_t columns, const Execution& execution) {
  constexpr std::int64_t kRowsEachChunk = 256;
  const auto rows = std::ssize(rows_);
  parallel_for(execution, rows, kRowsEachChunk, [&](std::int64_t begin, std::int64_t end, int) {
    for (auto r = static_cast<std::size_t>(begin); r < static_cast<std::size_t>(end); ++r) shorten(rows_[r].keys);
  });
  CsrMatrix result{rows, columns, std::vector<std::int64_t>(static_cast<std::size_t>(rows) + 1), {}, {}};
  for (std::size_t r = 0; r < rows_.size(); ++r) result.indptr[r + 1] = result.indptr[r] + std::ssize(rows_[r].keys);
  budget_.take(result.indptr.back(), sizeof(std::int32_t) + sizeof(float), kNextStep);
  result.indices.resize(static_cast<std::size_t>(result.indptr.back()));
  result.values.resize(static_cast<std::size_t>(result.indptr.back()));
  PerWorker<IdOrder> orders(execution);
  parallel_for(execution, rows, kRowsEachChunk, [&](std::int64_t begin, std::int64_t end, int worker) {
    IdOrder& order = orders.get(worker, [columns] { return IdOrder(columns); });
    for (auto r = static_cast<std::size_t>(begin); r < static_cast<std::size_t>(end); ++r) {
      std::vector<NeighborKey> keys = std::exchange(rows_[r].keys, {});
      const auto position = static_cast<std::size_t>(result.indptr[r]);
      order.write(keys, result.indices.data() + position, result.values.data() + position);
    }
  });
  return result;
}

}  // namespace recocore
