#include "ranked_list_reader.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>

#include "recocore/error.hpp"

namespace recocore {
namespace {

std::size_t at(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

/// The stored value of `item`, or 0.
float value_of(const MarkedItems& row, std::int32_t item) {
  const auto found = std::lower_bound(row.items.begin(), row.items.end(), item);
  return found != row.items.end() && *found == item ? row.values[at(found - row.items.begin())] : 0.0F;
}

/// The bit of an item in its word of 64.
std::uint64_t bit_of(std::int32_t item) {
  return std::uint64_t{1} << (static_cast<std::uint32_t>(item) % 64U);
}

std::string of_user(std::int32_t user) {
  return " of user " + std::to_string(user);
}

}  // namespace

std::span<const std::int32_t> checked_items(const CsrPattern& matrix, std::int32_t user, std::string_view argument) {
  const std::int64_t begin = matrix.indptr[at(user)];
  const std::int64_t end = matrix.indptr[at(user) + 1];
  require(0 <= begin && begin <= end && end <= std::ssize(matrix.indices), [&] {
    return std::string(argument) + ".indptr: expected numbers that never fall, up to the number of indices, got " +
           std::to_string(begin) + " to " + std::to_string(end) + " for the row" + of_user(user);
  });
  const auto items = matrix.row(user);
  const bool rising = std::ranges::adjacent_find(items, std::greater_equal<>()) == items.end();
  require(rising && (items.empty() || (items.front() >= 0 && items.back() < matrix.cols)), [&] {
    return std::string(argument) + ": expected columns that rise inside [0, " + std::to_string(matrix.cols) +
           ") along each row, got others in the row" + of_user(user) + "; build it with Csr.from_coo or Csr.from_scipy";
  });
  return items;
}

MarkedItems checked_row(const CsrView& matrix, std::int32_t user, std::string_view argument) {
  const MarkedItems row{checked_items(matrix, user, argument), matrix.row_values(user)};
  for (const float value : row.values) {
    require(std::isfinite(value), [&] {
      return std::string(argument) + ": expected finite values, got " + std::to_string(value) + " in the row" +
             of_user(user);
    });
  }
  return row;
}

double gain_of(float value, Gain gain) {
  return gain == Gain::linear ? static_cast<double>(value) : std::exp2(static_cast<double>(value)) - 1.0;
}

RankedListReader::RankedListReader(std::int64_t items) : items_(items), taken_(at(items / 64 + 1), 0) {}

bool RankedListReader::mark(std::int32_t item) {
  std::uint64_t& word = taken_[at(item / 64)];
  const std::uint64_t bit = bit_of(item);
  const bool fresh = (word & bit) == 0;
  word |= bit;
  return fresh;
}

void RankedListReader::unmark(std::int32_t item) {
  taken_[at(item / 64)] &= ~bit_of(item);
}

std::span<const TieGroup> RankedListReader::read(const RankedLists& lists, std::int64_t row,
                                                 const MarkedItems& relevant, std::span<const std::int32_t> excluded,
                                                 Gain gain, bool by_score) {
  const auto ids = lists.ids.row(row);
  const std::int32_t user = lists.users[at(row)];
  const std::int64_t length = std::find(ids.begin(), ids.end(), -1) - ids.begin();

  groups_.clear();
  for (const std::int32_t item : excluded) static_cast<void>(mark(item));
  for (std::int64_t rank = 0; rank < length; ++rank) {
    const std::int32_t item = ids[at(rank)];
    require(item >= 0 && item < items_, [&] {
      return "ids: expected -1 or numbers in [0, " + std::to_string(items_) + "), got " + std::to_string(item) +
             " in the list" + of_user(user);
    });
    require(mark(item), [&] {
      const bool is_excluded = std::binary_search(excluded.begin(), excluded.end(), item);
      return "ids: expected each item once, and no excluded one, got item " + std::to_string(item) +
             (is_excluded ? ", which is excluded," : " again") + " in the list" + of_user(user);
    });

    bool tied = false;
    if (by_score) {
      const auto scores = lists.scores.row(row);
      const float score = scores[at(rank)];
      const float before = rank == 0 ? score : scores[at(rank) - 1];
      require(before >= score, [&] {
        return "scores: expected numbers that never rise along a list, got " + std::to_string(before) + " then " +
               std::to_string(score) + " in the list" + of_user(user);
      });
      tied = rank > 0 && before == score;
    }
    if (!tied) groups_.push_back({rank, 0, 0, 0.0});
    TieGroup& group = groups_.back();
    ++group.size;
    if (const float value = value_of(relevant, item); value > 0.0F) {
      ++group.relevant;
      group.gain += gain_of(value, gain);
    }
  }
  for (std::int64_t rank = length; rank < std::ssize(ids); ++rank) {
    require(ids[at(rank)] == -1, [&] {
      return "ids: expected only -1 after a list's end, got " + std::to_string(ids[at(rank)]) + " in the list" +
             of_user(user);
    });
  }
  for (const std::int32_t item : ids.first(at(length))) unmark(item);
  for (const std::int32_t item : excluded) unmark(item);
  return groups_;
}

}  // namespace recocore
