// A heap of nodes whose priorities fall.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace recocore {

/// The node of least priority, ties by index. Four children a node: a fall is one sift up, and there are more of those
/// than of pops. O(log nodes) each.
class NodeHeap {
 public:
  /// All of `nodes`, which are below `priority.size()`.
  NodeHeap(std::span<const double> priority, std::span<const std::int32_t> nodes) : place_(priority.size(), kGone) {
    for (const std::int32_t node : nodes) {
      place_[index(node)] = static_cast<std::int32_t>(heap_.size());
      heap_.push_back({priority[index(node)], node});
    }
    for (auto i = static_cast<std::int64_t>(heap_.size()) / kChildren; i >= 0; --i) sift_down(i);
  }

  [[nodiscard]] bool empty() const { return heap_.empty(); }
  [[nodiscard]] bool contains(std::int32_t node) const { return place_[index(node)] != kGone; }

  struct Entry {
    double priority;
    std::int32_t node;
  };

  Entry pop() {
    const Entry top = heap_.front();
    const Entry last = heap_.back();
    heap_.pop_back();
    place_[index(top.node)] = kGone;
    if (!heap_.empty()) {
      put(0, last);
      sift_down(0);
    }
    return top;
  }

  void lower(std::int32_t node, double by) {
    std::int64_t i = place_[index(node)];
    Entry entry = heap_[index(i)];
    entry.priority -= by;
    while (i > 0) {
      const std::int64_t parent = (i - 1) / kChildren;
      if (!before(entry, heap_[index(parent)])) break;
      put(i, heap_[index(parent)]);
      i = parent;
    }
    put(i, entry);
  }

 private:
  static constexpr std::int64_t kChildren = 4;
  static constexpr std::int32_t kGone = -1;

  static std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }
  static bool before(const Entry& a, const Entry& b) {
    return a.priority != b.priority ? a.priority < b.priority : a.node < b.node;
  }

  void put(std::int64_t i, const Entry& entry) {
    heap_[index(i)] = entry;
    place_[index(entry.node)] = static_cast<std::int32_t>(i);
  }

  void sift_down(std::int64_t i) {
    const auto size = static_cast<std::int64_t>(heap_.size());
    if (i >= size) return;
    const Entry entry = heap_[index(i)];
    for (;;) {
      const std::int64_t first = kChildren * i + 1;
      if (first >= size) break;
      std::int64_t least = first;
      for (std::int64_t c = first + 1; c < first + kChildren && c < size; ++c)
        if (before(heap_[index(c)], heap_[index(least)])) least = c;
      if (!before(heap_[index(least)], entry)) break;
      put(i, heap_[index(least)]);
      i = least;
    }
    put(i, entry);
  }

  std::vector<Entry> heap_;
  std::vector<std::int32_t> place_;
};

}  // namespace recocore
