#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "recocore/csr.hpp"

namespace recocore {

/// A set of ids for each query: the columns of one row of a CSR pattern.
struct RowsOf {
  CsrPattern csr;
  std::span<const std::int32_t> rows;  ///< query i uses row rows[i]; empty: query i uses row i

  [[nodiscard]] std::span<const std::int32_t> of(std::int64_t query) const noexcept {
    return csr.row(rows.empty() ? query : rows[static_cast<std::size_t>(query)]);
  }
};

/// Which items may come back for a query. An item must be in every allow-list that is there and in no other list.
struct CandidateFilter {
  std::vector<RowsOf> exclude;                                ///< left out for their query, for example items seen
  std::span<const std::int32_t> block;                        ///< left out for every query
  std::optional<RowsOf> allow;                                ///< only these for their query
  std::optional<std::span<const std::int32_t>> allow_shared;  ///< only these for every query

  [[nodiscard]] bool empty() const noexcept { return exclude.empty() && block.empty() && !allow && !allow_shared; }
};

/// Throws Error{invalid_argument} naming the list unless it has a well-formed row for each query and its ids are in
/// [0, n_items). Looks only at the rows that the queries use, so that one query against a large matrix stays cheap.
void validate(const CandidateFilter& filter, std::int64_t n_queries, std::int64_t n_items);

/// One thread's view of a filter: 4 bytes an item, reset in O(1) from query to query.
class RowFilter {
 public:
  /// The filter must be valid and outlive this.
  RowFilter(const CandidateFilter& filter, std::int64_t n_items);

  /// Makes admits() speak of this query. O(ids in its lists).
  void begin_row(std::int64_t query);

  /// Whether the item may come back; `id` is in [0, n_items).
  [[nodiscard]] bool admits(std::int32_t id) const noexcept {
    const auto item = static_cast<std::size_t>(id);
    return (excluded_.empty() || (excluded_[item] != stamp_ && excluded_[item] != kAlways)) &&
           (allowed_.empty() || allowed_[item] == stamp_);
  }

 private:
  static constexpr std::uint32_t kAlways = UINT32_MAX;

  void next_stamp() noexcept;

  const CandidateFilter* filter_;
  std::uint32_t stamp_ = 0;
  std::vector<std::uint32_t> excluded_;  // the stamp of the last query that excludes the item, or kAlways
  std::vector<std::uint32_t> allowed_;   // the stamp of the last query that allows the item; empty without `allow`
};

}  // namespace recocore
