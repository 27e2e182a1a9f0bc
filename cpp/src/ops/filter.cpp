#include "recocore/filter.hpp"

#include <algorithm>
#include <string>
#include <string_view>

#include "recocore/error.hpp"

namespace recocore {
namespace {

void validate_ids(std::span<const std::int32_t> ids, std::int64_t n_items, std::string_view argument) {
  for (std::size_t i = 0; i < ids.size(); ++i) {
    require(ids[i] >= 0 && ids[i] < n_items, [&] {
      return std::string(argument) + ": expected item indices in [0, " + std::to_string(n_items) + "), got " +
             std::to_string(ids[i]) + " at position " + std::to_string(i);
    });
  }
}

void validate_rows(const RowsOf& sets, std::int64_t n_queries, std::int64_t n_items, const std::string& argument) {
  validate_outline(sets.csr, argument);
  require(sets.csr.cols == n_items, [&] {
    return argument + ": expected " + std::to_string(n_items) + " columns, one for each item, got " +
           std::to_string(sets.csr.cols);
  });
  if (n_queries == 0) return;
  const std::int64_t found = sets.rows.empty() ? sets.csr.rows : std::ssize(sets.rows);
  require(found == n_queries, [&] {
    return argument + ": expected a row for each of the " + std::to_string(n_queries) + " queries, got " +
           std::to_string(found);
  });
  for (std::int64_t query = 0; query < n_queries; ++query) {
    const std::int64_t row = sets.rows.empty() ? query : sets.rows[static_cast<std::size_t>(query)];
    require(row >= 0 && row < sets.csr.rows, [&] {
      return argument + ".rows: expected numbers in [0, " + std::to_string(sets.csr.rows) + "), got " +
             std::to_string(row) + " at position " + std::to_string(query);
    });
    validate_row(sets.csr, row, argument);
  }
}

}  // namespace

void validate(const CandidateFilter& filter, std::int64_t n_queries, std::int64_t n_items) {
  for (const RowsOf& sets : filter.exclude) validate_rows(sets, n_queries, n_items, "exclude");
  if (filter.allow) validate_rows(*filter.allow, n_queries, n_items, "allow");
  validate_ids(filter.block, n_items, "block");
  if (filter.allow_shared) validate_ids(*filter.allow_shared, n_items, "allow");
}

RowFilter::RowFilter(const CandidateFilter& filter, std::int64_t n_items) : filter_(&filter) {
  const auto items = static_cast<std::size_t>(n_items);
  if (filter.allow) allowed_.assign(items, 0);
  if (filter.exclude.empty() && filter.block.empty() && !filter.allow_shared) return;
  // What is shared by every query is marked once: an allow-list blocks its complement.
  excluded_.assign(items, filter.allow_shared ? kAlways : 0);
  if (filter.allow_shared)
    for (const std::int32_t id : *filter.allow_shared) excluded_[static_cast<std::size_t>(id)] = 0;
  for (const std::int32_t id : filter.block) excluded_[static_cast<std::size_t>(id)] = kAlways;
}

void RowFilter::begin_row(std::int64_t query) {
  next_stamp();
  for (const RowsOf& sets : filter_->exclude) {
    for (const std::int32_t id : sets.of(query)) {
      std::uint32_t& mark = excluded_[static_cast<std::size_t>(id)];
      if (mark != kAlways) mark = stamp_;
    }
  }
  if (filter_->allow)
    for (const std::int32_t id : filter_->allow->of(query)) allowed_[static_cast<std::size_t>(id)] = stamp_;
}

void RowFilter::next_stamp() noexcept {
  if (++stamp_ < kAlways) return;
  // Stamps of four billion queries ago would come round again.
  std::replace_if(excluded_.begin(), excluded_.end(), [](std::uint32_t mark) { return mark != kAlways; }, 0U);
  std::fill(allowed_.begin(), allowed_.end(), 0U);
  stamp_ = 1;
}

}  // namespace recocore
