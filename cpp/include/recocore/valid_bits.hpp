// Which rows of a column have a value, as Arrow says it.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "recocore/error.hpp"

namespace recocore {

/// A bit a row, the lowest of a byte first; without bits every row has a value.
class ValidBits {
 public:
  ValidBits() = default;
  /// `first` is the bit of row 0.
  ///
  /// \throws Error{invalid_argument} where there is not a bit for each of `rows` rows.
  ValidBits(std::span<const std::uint8_t> bits, std::int64_t first, std::int64_t rows)
      : bits_(bits), first_(static_cast<std::uint64_t>(first)) {
    require(first >= 0 && rows <= 8 * std::ssize(bits) - first,
            [] { return std::string("valid: expected a bit for each row"); });
  }

  [[nodiscard]] bool all() const noexcept { return bits_.empty(); }
  [[nodiscard]] bool operator[](std::int64_t row) const noexcept {
    const std::uint64_t bit = first_ + static_cast<std::uint64_t>(row);
    return bits_.empty() || ((static_cast<unsigned>(bits_[bit / 8]) >> (bit % 8)) & 1U) != 0;
  }

 private:
  std::span<const std::uint8_t> bits_;
  std::uint64_t first_ = 0;
};

}  // namespace recocore
