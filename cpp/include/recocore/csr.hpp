#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "recocore/thread_pool.hpp"

namespace recocore {

/// Where the entries of a compressed sparse row matrix are; values may come beside it.
///
/// `indptr` has rows + 1 elements; the columns of row r are indices[indptr[r] .. indptr[r + 1]).
struct CsrPattern {
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::span<const std::int64_t> indptr;
  std::span<const std::int32_t> indices;

  [[nodiscard]] std::int64_t nnz() const noexcept { return indptr.empty() ? 0 : indptr.back(); }
  [[nodiscard]] std::span<const std::int32_t> row(std::int64_t r) const noexcept {
    const auto begin = static_cast<std::size_t>(indptr[static_cast<std::size_t>(r)]);
    const auto end = static_cast<std::size_t>(indptr[static_cast<std::size_t>(r) + 1]);
    return indices.subspan(begin, end - begin);
  }
};

/// A CSR matrix that somebody else owns: a pattern and one float32 a stored entry.
struct CsrView : CsrPattern {
  std::span<const float> values;

  [[nodiscard]] std::span<const float> row_values(std::int64_t r) const noexcept {
    const auto begin = static_cast<std::size_t>(indptr[static_cast<std::size_t>(r)]);
    const auto end = static_cast<std::size_t>(indptr[static_cast<std::size_t>(r) + 1]);
    return values.subspan(begin, end - begin);
  }
};

/// A CSR matrix with its own storage.
struct CsrMatrix {
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::vector<std::int64_t> indptr{0};
  std::vector<std::int32_t> indices;
  std::vector<float> values;

  [[nodiscard]] CsrView view() const noexcept { return {{rows, cols, indptr, indices}, values}; }
};

/// Throws Error{invalid_argument} naming `argument` unless the pattern is well formed: indptr starts at 0, never falls
/// and ends at the number of indices, and every index is inside [0, cols). O(rows + nnz).
void validate(const CsrPattern& matrix, std::string_view argument);

/// The same, and every value is finite; the message names the first bad row. Of the execution only the monitor counts.
void validate(const CsrView& matrix, std::string_view argument, const Execution& execution = {});

/// The part of validate() that is O(1): the shape and the ends of indptr. Followed by validate_row for each row that a
/// computation reads, it makes a small question to a large matrix cheap.
void validate_outline(const CsrPattern& matrix, std::string_view argument);
void validate_outline(const CsrView& matrix, std::string_view argument);

/// The part of validate() about one row of a matrix whose outline is valid; `row` is in [0, rows). O(entries of the
/// row).
void validate_row(const CsrPattern& matrix, std::int64_t row, std::string_view argument);
void validate_row(const CsrView& matrix, std::int64_t row, std::string_view argument);

/// How the values of entries with the same row and column become one.
enum class Duplicates { sum, last, max };

/// Builds canonical CSR (columns rising in a row, no duplicates) from coordinates in any order. O(entries + rows +
/// cols). Duplicate entries are merged in the order in which they came, so the result does not depend on threads.
/// Throws Error{invalid_argument} for a coordinate outside the shape or a value that is not finite, naming its
/// position.
[[nodiscard]] CsrMatrix csr_from_coo(std::span<const std::int32_t> row_ids, std::span<const std::int32_t> col_ids,
                                     std::span<const float> values, std::int64_t rows, std::int64_t cols,
                                     Duplicates duplicates = Duplicates::sum);

/// The transpose, with columns rising in each row. Of the execution only the monitor counts. O(nnz + rows + cols).
[[nodiscard]] CsrMatrix transpose(const CsrView& matrix, const Execution& execution = {});

}  // namespace recocore
