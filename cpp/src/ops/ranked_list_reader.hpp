// Reads one user's list: checks what it holds and looks up which of its items are relevant.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "recocore/csr.hpp"
#include "recocore/ranking_metrics.hpp"

namespace recocore {

/// Neighbours in a list that no order tells apart: equal scores, or a single item where the list's order counts.
struct TieGroup {
  std::int64_t begin = 0;
  std::int64_t size = 0;
  std::int64_t relevant = 0;
  double gain = 0.0;
};

/// A user's row: items that rise, and their values.
struct MarkedItems {
  std::span<const std::int32_t> items;
  std::span<const float> values;
};

/// Row `user` of a matrix, checked: columns rise inside [0, cols) and values are finite. O(row).
std::span<const std::int32_t> checked_items(const CsrPattern& matrix, std::int32_t user, std::string_view argument);
MarkedItems checked_row(const CsrView& matrix, std::int32_t user, std::string_view argument);

/// Scratch memory of one worker: a bit for each item.
class RankedListReader {
 public:
  explicit RankedListReader(std::int64_t items);

  /// List `row` as groups, in its order; valid until the next call. With `by_score`, equal scores form one
  /// group, else each item is its own. Throws Error{invalid_argument} naming ids or scores and the user.
  std::span<const TieGroup> read(const RankedLists& lists, std::int64_t row, const MarkedItems& relevant,
                                 std::span<const std::int32_t> excluded, Gain gain, bool by_score);

 private:
  [[nodiscard]] bool mark(std::int32_t item);
  void unmark(std::int32_t item);

  std::int64_t items_;
  std::vector<std::uint64_t> taken_;
  std::vector<TieGroup> groups_;
};

/// The gain of a relevant item's value.
double gain_of(float value, Gain gain);

}  // namespace recocore
