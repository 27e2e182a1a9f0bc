#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "recocore/error.hpp"

namespace recocore {

/// Byte strings that somebody else owns, laid out as Arrow lays out a LargeString column.
///
/// String i is data[offsets[i] .. offsets[i + 1]); `offsets` has one element more than there are strings.
struct BytesView {
  std::span<const std::int64_t> offsets;
  std::string_view data;

  [[nodiscard]] std::size_t size() const noexcept { return offsets.empty() ? 0 : offsets.size() - 1; }

  /// String i; the offsets are checked on each use, as checking a mapped file whole would read all of it.
  ///
  /// \throws Error{corrupt} if the offsets of string i point outside of the data.
  [[nodiscard]] std::string_view operator[](std::size_t i) const {
    const std::int64_t begin = offsets[i];
    const std::int64_t end = offsets[i + 1];
    if (begin < 0 || begin > end || end > static_cast<std::int64_t>(data.size()))
      throw Error(ErrorCode::corrupt, "string offsets point outside of the data");
    return data.substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
  }
};

/// Writes to found[q] the position of queries[q] in `sorted`, or -1 where it is absent.
///
/// `sorted` is strictly ascending by unsigned bytes. O(queries * log(sorted)) and no memory of its own.
///
/// \throws Error{invalid_argument} if the sizes do not fit; Error{corrupt} for offsets outside of the data.
void find_sorted_bytes(const BytesView& sorted, const BytesView& queries, std::span<std::int32_t> found);

}  // namespace recocore
