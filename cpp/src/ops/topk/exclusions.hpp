// Which items of a query are left out, looked up by item.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "recocore/filter.hpp"

namespace recocore {

/// One bit an item.
class ItemSet {
 public:
  explicit ItemSet(std::int64_t n_items) : words_(static_cast<std::size_t>((n_items + 63) / 64)) {}

  /// Whether the item was not in the set yet.
  bool insert(std::int32_t item) noexcept {
    const bool is_new = !contains(item);
    words_[word(item)] |= bit(item);
    return is_new;
  }
  void erase(std::int32_t item) noexcept { words_[word(item)] &= ~bit(item); }
  [[nodiscard]] bool contains(std::int32_t item) const noexcept { return (words_[word(item)] & bit(item)) != 0; }

 private:
  static std::size_t word(std::int32_t item) noexcept { return static_cast<std::size_t>(item) / 64; }
  static std::uint64_t bit(std::int32_t item) noexcept {
    return std::uint64_t{1} << (static_cast<std::uint32_t>(item) % 64);
  }

  std::vector<std::uint64_t> words_;
};

/// One thread's view of the exclude- and block-lists of a filter: m / 4 bytes at most. A query's lists are entered for
/// a look and taken out again, O(their ids), so that many queries may be worked at in turn with one set of bits.
class Exclusions {
 public:
  /// The filter must outlive this.
  Exclusions(const CandidateFilter& filter, std::int64_t n_items)
      : filter_(&filter), own_(filter.exclude.empty() ? 0 : n_items), blocked_(filter.block.empty() ? 0 : n_items) {
    for (const std::int32_t item : filter.block) blocked_.insert(item);
  }

  /// Calls use(excluded), with excluded(item) telling whether a list of the query, or of all, names the item.
  template <typename Use>
  void with(std::int64_t query, const Use& use) {
    for_each_own(query, [this](std::int32_t item) { own_.insert(item); });
    const bool some_own = !filter_->exclude.empty();
    const bool some_blocked = !filter_->block.empty();
    use([&](std::int32_t item) {
      return (some_own && own_.contains(item)) || (some_blocked && blocked_.contains(item));
    });
    for_each_own(query, [this](std::int32_t item) { own_.erase(item); });
  }

  /// How many ids the lists for a query and for all name, those that they name twice counted twice.
  [[nodiscard]] std::int64_t count(std::int64_t query) const noexcept {
    std::int64_t ids = std::ssize(filter_->block);
    for (const RowsOf& lists : filter_->exclude) ids += std::ssize(lists.of(query));
    return ids;
  }

 private:
  template <typename Do>
  void for_each_own(std::int64_t query, const Do& act) {
    for (const RowsOf& lists : filter_->exclude)
      for (const std::int32_t item : lists.of(query)) act(item);
  }

  const CandidateFilter* filter_;
  ItemSet own_;
  ItemSet blocked_;
};

}  // namespace recocore
