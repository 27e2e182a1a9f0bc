#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/big_array.hpp"
#include "kernels/pairs/kernel.hpp"
#include "ops/similarity/row_order.hpp"
#include "recocore/csr.hpp"
#include "recocore/thread_pool.hpp"

namespace recocore {

/// Some rows of a matrix, column by column: where a row has an entry, which of these rows have one too. A column with
/// many of them holds them as bits, one with few as a list.
template <typename Mode>
class PartnerBlock {
 public:
  using Entry = typename Mode::Entry;

  /// Of one column; lists hold partners with ranks rising.
  static constexpr std::int32_t kListed = -1;

  [[nodiscard]] std::int64_t begin() const noexcept { return begin_; }
  [[nodiscard]] std::int64_t end() const noexcept { return end_; }
  [[nodiscard]] std::int64_t size() const noexcept { return end_ - begin_; }

  /// The ranks [begin, end) of `order`. `weight(row, column, value)` is what an entry weighs. With `planes` above 0 crowded
  /// columns become bits: planes 0 to planes - 1 of the weight and, if `presence`, one more that is always set.
  template <typename Weight>
  void build(const CsrView& matrix, const RowOrder& order, std::int64_t begin, std::int64_t end, const Weight& weight,
             int planes, bool presence, std::int64_t most_bit_bytes, const Execution& execution) {
    begin_ = begin;
    end_ = end;
    presence_plane_ = planes;
    words_ = words_for(size());
    stride_ = (planes + (presence ? 1 : 0)) * words_;
    const auto columns = static_cast<std::size_t>(matrix.cols);
    slot_.assign(columns, kListed);
    start_.assign(columns + 1, 0);

    bases_.resize(static_cast<std::size_t>(size()));
    std::int64_t entries = 0;
    for (std::int64_t r = begin; r < end; ++r) {
      bases_[at(r - begin)] = entries;
      entries += std::ssize(matrix.row(order.row[at(r)]));
    }
    const auto for_entries = [&](const auto& body) {  // body(rank, position in the row, column), by column chunks
      const std::int64_t grain = columns_each_chunk(matrix.cols, entries, resolve_threads(execution.num_threads));
      parallel_for(execution, matrix.cols, grain, [&](std::int64_t first, std::int64_t last, int) {
        for (std::int64_t r = begin; r < end; ++r) {
          const auto row = matrix.row(order.row[at(r)]);
          auto e = std::lower_bound(row.begin(), row.end(), static_cast<std::int32_t>(first)) - row.begin();
          for (; e < std::ssize(row) && row[at(e)] < last; ++e) body(r, e, row[at(e)]);
        }
        checkpoint();
      });
    };

    for_entries([&](std::int64_t, std::int64_t, std::int32_t column) { ++start_[at(column) + 1]; });
    slots_ = planes > 0 ? choose_slots(most_bit_bytes) : 0;
    for (std::size_t c = 0; c < columns; ++c) start_[c + 1] = start_[c] + (slot_[c] == kListed ? start_[c + 1] : 0);

    lists_.resize(start_.back() + kListPadding);
    list_ends_.resize(entries);
    if (slots_ > 0) std::memset(bits_.resize(slots_ * stride_), 0, static_cast<std::size_t>(slots_ * stride_) * 8);
    next_.assign(start_.begin(), start_.end() - 1);
    for_entries([&](std::int64_t r, std::int64_t e, std::int32_t column) {
      const std::int32_t row = order.row[at(r)];
      const double w = weight(row, column, matrix.row_values(row)[at(e)]);
      const std::int64_t partner = r - begin;
      const std::int32_t slot = slot_[at(column)];
      if (slot == kListed) {
        std::uint32_t& next = next_[at(column)];
        list_ends_[bases_[at(partner)] + e] = next;
        lists_[next++] = Mode::entry(static_cast<std::uint32_t>(partner), w);
        return;
      }
      std::uint64_t* const word = bits_.data() + slot * stride_ + partner / 64;
      const std::uint64_t bit = std::uint64_t{1} << (partner % 64);
      if (planes == 1) {
        *word |= bit;
      } else {
        const auto integer = static_cast<unsigned>(w);
        for (int p = 0; p < planes; ++p)
          if ((integer >> p & 1U) != 0) word[p * words_] |= bit;
      }
      if (presence) word[planes * words_] |= bit;
    });
  }

  /// Where a column's bits are, or kListed.
  [[nodiscard]] std::int32_t slot(std::int32_t column) const noexcept { return slot_[at(column)]; }
  [[nodiscard]] bool has_bits() const noexcept { return slots_ > 0; }

  /// The bits for the first `partners` partners: the planes of weights, or that of presence.
  [[nodiscard]] kernels::BitColumns weight_bits(std::int64_t partners) const noexcept {
    return {bits_.data(), stride_, presence_plane_, words_, words_for(partners)};
  }
  [[nodiscard]] kernels::BitColumns presence_bits(std::int64_t partners) const noexcept {
    return {bits_.data() + presence_plane_ * words_, stride_, 1, words_, words_for(partners)};
  }

  [[nodiscard]] const Entry* list(std::int32_t column) const noexcept { return lists_.data() + start_[at(column)]; }
  [[nodiscard]] const Entry* list_end(std::int32_t column) const noexcept {
    return lists_.data() + start_[at(column) + 1];
  }
  /// For rank r of this block itself, by position in its row: where the lists of its columns reach r.
  [[nodiscard]] const std::uint32_t* own_list_ends(std::int64_t r) const noexcept {
    return list_ends_.data() + bases_[at(r - begin_)];
  }
  [[nodiscard]] const Entry* lists() const noexcept { return lists_.data(); }

 private:
  static constexpr std::int64_t kListPadding = 16;

  template <typename T>
  static std::size_t at(T i) noexcept {
    return static_cast<std::size_t>(i);
  }

  static std::int64_t words_for(std::int64_t partners) noexcept {
    constexpr std::int64_t kBits = 64 * kernels::kBitWords;
    return (partners + kBits - 1) / kBits * kernels::kBitWords;
  }

  /// So few that what a chunk writes at random stays in a 2 MB cache, but enough that rows have entries in most chunks.
  [[nodiscard]] std::int64_t columns_each_chunk(std::int64_t columns, std::int64_t entries, int threads) const noexcept {
    constexpr std::int64_t kCached = 1 << 14;
    constexpr double kEntriesEachRow = 8.0;
    const double enough = static_cast<double>(columns) * kEntriesEachRow * static_cast<double>(size()) /
                          static_cast<double>(std::max<std::int64_t>(1, entries));
    const auto most = std::max(kCached, static_cast<std::int64_t>(enough));
    return std::clamp<std::int64_t>(columns / (4 * threads), 1, most);
  }

  /// Gives the crowded columns slots for their bits and returns how many there are.
  std::int64_t choose_slots(std::int64_t most_bytes) {
    std::int64_t crowded = kEntriesEachVector * stride_ / kernels::kBitWords;
    for (;; crowded += crowded / 4 + 1) {
      const auto slots =
          std::count_if(start_.begin() + 1, start_.end(), [=](std::uint32_t n) { return n >= crowded; });
      if (slots * stride_ * 8 > most_bytes) continue;
      std::int32_t next = 0;
      for (std::size_t c = 0; c < slot_.size(); ++c)
        if (start_[c + 1] >= crowded) slot_[c] = next++;
      return slots;
    }
  }

  /// A column is crowded with so many entries for each vector of 512 bits that its bits take.
  static constexpr std::int64_t kEntriesEachVector = 10;

  std::int64_t begin_ = 0;
  std::int64_t end_ = 0;
  std::int64_t words_ = 0;
  std::int64_t stride_ = 0;
  std::int64_t slots_ = 0;
  std::int64_t presence_plane_ = 0;
  std::vector<std::int32_t> slot_;
  std::vector<std::uint32_t> start_;  // of a column's list; while counting, the number of its entries one place later
  std::vector<std::uint32_t> next_;
  std::vector<std::int64_t> bases_;
  BigArray<Entry> lists_;
  BigArray<std::uint32_t> list_ends_;
  BigArray<std::uint64_t> bits_;
};

}  // namespace recocore
