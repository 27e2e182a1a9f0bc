#include "recocore/sorted_bytes.hpp"

#include <string>

namespace recocore {
namespace {

/// The first position of `sorted` whose string is not below `key`.
std::size_t lower_bound(const BytesView& sorted, std::string_view key) {
  std::size_t low = 0;
  std::size_t high = sorted.size();
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    // char_traits<char> compares as unsigned char, which for UTF-8 is the order of code points.
    if (sorted[middle] < key)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

}  // namespace

void find_sorted_bytes(const BytesView& sorted, const BytesView& queries, std::span<std::int32_t> found) {
  require(sorted.size() <= INT32_MAX,
          [&] { return "sorted: expected fewer than 2**31 strings, got " + std::to_string(sorted.size()); });
  require(found.size() == queries.size(), [&] {
    return "found: expected one place for each query, " + std::to_string(queries.size()) + ", got " +
           std::to_string(found.size());
  });
  for (std::size_t q = 0; q < queries.size(); ++q) {
    const std::string_view key = queries[q];
    const std::size_t at = lower_bound(sorted, key);
    found[q] = at < sorted.size() && sorted[at] == key ? static_cast<std::int32_t>(at) : -1;
  }
}

}  // namespace recocore
