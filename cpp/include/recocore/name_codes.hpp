// Codes of names: a column of strings becomes whole numbers.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "recocore/valid_bits.hpp"

namespace recocore {

/// A part of a column, laid out as Arrow lays out a String array: name i is text[offsets[i] .. offsets[i + 1]).
struct NameChunk {
  std::span<const std::int32_t> offsets;  // [rows + 1]
  std::string_view text;
  ValidBits valid;

  [[nodiscard]] std::int64_t rows() const noexcept { return offsets.empty() ? 0 : std::ssize(offsets) - 1; }
};

/// Writes the code of each row's name, counted from 0 in the order in which names come first, and -1 where there is
/// none; returns the rows where each code came first, `[names]`. The chunks' rows follow each other. O(bytes of all
/// names); a chunk of one name throughout, such as a currency, is compared and not looked up.
///
/// \throws Error{invalid_argument} for sizes that do not fit, offsets outside of the text, 2^31 names or more.
std::vector<std::int64_t> encode_names(std::span<const NameChunk> chunks, std::span<std::int32_t> codes);

/// The hash of each row's name by hash_name(), 0 where it is empty; a row without a name has the hash of its text.
///
/// \throws Error{invalid_argument} for sizes that do not fit, offsets outside of the text.
void hash_names(const NameChunk& names, std::span<std::uint64_t> hashes);

/// in_use[c]: 1 where some row has the code c, of `names` codes; rows of code -1 have none.
///
/// \throws Error{invalid_argument} for a code outside of [-1, names).
std::vector<std::uint8_t> codes_in_use(std::span<const std::int32_t> codes, std::int32_t names);

/// Writes numbers[code] over each code.
///
/// \throws Error{invalid_argument} for a code without a number; the codes before it are numbers then.
void renumber(std::span<std::int32_t> codes, std::span<const std::int32_t> numbers);

}  // namespace recocore
