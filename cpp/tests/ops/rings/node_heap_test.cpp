#include "ops/rings/node_heap.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include "base/random.hpp"

using namespace recocore;

TEST_CASE("nodes leave by priority, ties by index, whatever fell meanwhile") {
  SplitMix64 random(3);
  std::vector<double> priority(200);
  std::vector<std::int32_t> nodes;
  for (std::int32_t v = 0; v < 200; ++v) {
    priority[static_cast<std::size_t>(v)] = static_cast<double>(random.below(40));
    if (v % 3 != 0) nodes.push_back(v);
  }
  NodeHeap heap(priority, nodes);
  CHECK_FALSE(heap.contains(0));
  while (!nodes.empty()) {
    const auto least = std::min_element(nodes.begin(), nodes.end(), [&](std::int32_t a, std::int32_t b) {
      return priority[static_cast<std::size_t>(a)] < priority[static_cast<std::size_t>(b)];
    });
    const auto top = heap.pop();
    CHECK(top.node == *least);
    CHECK(top.priority == priority[static_cast<std::size_t>(*least)]);
    nodes.erase(least);
    for (int i = 0; i < 5 && !nodes.empty(); ++i) {
      const std::int32_t node = nodes[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(nodes.size())))];
      const auto by = static_cast<double>(random.below(3));
      priority[static_cast<std::size_t>(node)] -= by;
      heap.lower(node, by);
    }
  }
  CHECK(heap.empty());
}
