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
/// names).
///
/// \throws Error{invalid_argument} for sizes that do not fit, offsets outside of the text, 2^31 names or more.
std::vector<std::int64_t> encode_names(std::span<const NameChunk> chunks, std::span<std::int32_t> codes);

/// Writes numbers[code] over each code.
///
/// \throws Error{invalid_argument} for a code without a number; the codes before it are numbers then.
void renumber(std::span<std::int32_t> codes, std::span<const std::int32_t> numbers);

}  // namespace recocore
