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
  using Entry = Mode::Entry;

  /// Where a column is: its bits if the top bit is set, else its list. One array, read once a visit: two of them left
  /// the cache twice as often and took a third of the pass.
  struct Place {
    std::uint32_t code;

    static constexpr std::uint32_t kBits = 0x80000000U;
    [[nodiscard]] std::uint32_t has_bits() const noexcept { return code >> 31U; }  ///< 1 or 0
    [[nodiscard]] std::int32_t slot() const noexcept { return static_cast<std::int32_t>(code & ~kBits); }
  };

  [[nodiscard]] std::int64_t begin() const noexcept { return begin_; }
  [[nodiscard]] std::int64_t end() const noexcept { return end_; }
  [[nodiscard]] std::int64_t size() const noexcept { return end_ - begin_; }

  /// The ranks [begin, end) of `order`. `weight(row, column, value)` is what an entry weighs. With `planes` above 0
  /// crowded columns become bits: planes 0 to planes - 1 of the weight and, if `presence`, one more that is always set.
  template <typename Weight>
  void build(const CsrView& matrix, const RowOrder& order, std::int64_t begin, std::int64_t end, const Weight& weight,
             int planes, bool presence, std::int64_t most_bit_bytes, const Execution& execution) {
    begin_ = begin;
    end_ = end;
    presence_plane_ = planes;
    words_ = words_for(size());
    stride_ = (planes + (presence ? 1 : 0)) * words_;
    const auto columns = static_cast<std::size_t>(matrix.cols);
    place_.assign(columns, Place{0});

    std::int64_t entries = 0;
    for (std::int64_t r = begin; r < end; ++r) entries += std::ssize(matrix.row(order.row[at(r)]));
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

    for_entries([&](std::int64_t, std::int64_t, std::int32_t column) { ++place_[at(column)].code; });
    slots_ = planes > 0 ? slots_within(most_bit_bytes) : 0;
    lay_out();
    if (slots_ > 0) std::memset(bits_.resize(slots_ * stride_), 0, static_cast<std::size_t>(slots_ * stride_) * 8);
    for_entries([&](std::int64_t r, std::int64_t e, std::int32_t column) {
      const std::int32_t row = order.row[at(r)];
      const double w = weight(row, column, matrix.row_values(row)[at(e)]);
      const std::int64_t partner = r - begin;
      const Place place = place_[at(column)];
      if (place.has_bits() == 0) {
        lists_[next_[at(column)]++] = Mode::entry(static_cast<std::uint32_t>(partner), w);
        return;
      }
      std::uint64_t* const word = bits_.data() + place.slot() * stride_ + partner / 64;
      const std::uint64_t bit = std::uint64_t{1} << (static_cast<std::uint64_t>(partner) % 64U);
      const auto integer = static_cast<unsigned>(w);
      for (int p = 0; p < planes; ++p)
        if ((integer >> static_cast<unsigned>(p) & 1U) != 0) word[p * words_] |= bit;
      if (presence) word[planes * words_] |= bit;
    });
  }

  [[nodiscard]] Place place(std::int32_t column) const noexcept { return place_[at(column)]; }

  /// The bits for the first `partners` partners: the planes of weights, or that of presence.
  [[nodiscard]] kernels::BitColumns weight_bits(std::int64_t partners) const noexcept {
    return {bits_.data(), stride_, presence_plane_, words_, words_for(partners)};
  }
  [[nodiscard]] kernels::BitColumns presence_bits(std::int64_t partners) const noexcept {
    return {bits_.data() + presence_plane_ * words_, stride_, 1, words_, words_for(partners)};
  }

  /// A list of partners with ranks rising and, after the last, one that is Mode::kNoPartner, or more of these so that
  /// the list can be read in steps of Mode::kListStep.
  [[nodiscard]] const Entry* list(std::uint32_t start) const noexcept { return lists_.data() + start; }

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
  [[nodiscard]] std::int64_t columns_each_chunk(std::int64_t columns, std::int64_t entries,
                                                int threads) const noexcept {
    constexpr std::int64_t kCached = 16384;
    constexpr double kEntriesEachRow = 8.0;
    const double enough = static_cast<double>(columns) * kEntriesEachRow * static_cast<double>(size()) /
                          static_cast<double>(std::max<std::int64_t>(1, entries));
    const auto most = std::max(kCached, static_cast<std::int64_t>(enough));
    return std::clamp<std::int64_t>(columns / (std::int64_t{4} * threads), 1, most);
  }

  /// How many columns are crowded enough for bits, and what is crowded so that these fit the memory.
  std::int64_t slots_within(std::int64_t most_bytes) {
    crowded_ = kEntriesEachVector * stride_ / kernels::kBitWords;
    for (;; crowded_ += crowded_ / 4 + 1) {
      const auto slots = std::count_if(place_.begin(), place_.end(),
                                       [this](Place counted) { return std::int64_t{counted.code} >= crowded_; });
      if (slots * stride_ * 8 <= most_bytes) return slots;
    }
  }

  /// What a list takes: its entries and at least one that ends it.
  static std::uint32_t room_for(std::uint32_t entries) noexcept {
    return (entries / Mode::kListStep + 1) * Mode::kListStep;
  }

  /// Turns the numbers of entries into places, with room for the lists.
  void lay_out() {
    std::uint32_t slot = 0;
    std::int64_t length = Mode::kListStep;  // columns without entries share the empty list at 0
    for (const Place counted : place_)
      if (slots_ == 0 || counted.code < crowded_) length += counted.code > 0 ? room_for(counted.code) : 0;
    lists_.resize(length + kListPadding);
    for (std::int64_t end = 0; end < Mode::kListStep; ++end) lists_[end] = Mode::entry(Mode::kNoPartner, 0.0);
    next_.resize(place_.size());
    std::uint32_t next = Mode::kListStep;
    for (std::size_t c = 0; c < place_.size(); ++c) {
      const std::uint32_t count = place_[c].code;
      if (slots_ > 0 && count >= crowded_) {
        place_[c].code = Place::kBits | slot++;
      } else if (count == 0) {
        place_[c].code = 0;
      } else {
        next_[c] = place_[c].code = next;
        next += room_for(count);
        for (std::uint32_t end = place_[c].code + count; end < next; ++end)
          lists_[end] = Mode::entry(Mode::kNoPartner, 0.0);
      }
    }
  }

  /// A column is crowded with so many entries for each vector of 512 bits that its bits take; 3 to 10 measured alike.
  static constexpr std::int64_t kEntriesEachVector = 5;

  std::int64_t begin_ = 0;
  std::int64_t end_ = 0;
  std::int64_t words_ = 0;
  std::int64_t stride_ = 0;
  std::int64_t slots_ = 0;
  std::int64_t presence_plane_ = 0;
  std::int64_t crowded_ = 0;
  std::vector<Place> place_;         // while counting, the numbers of entries
  std::vector<std::uint32_t> next_;  // where the next entry of a column's list goes
  BigArray<Entry> lists_;
  BigArray<std::uint64_t> bits_;
};

}  // namespace recocore
