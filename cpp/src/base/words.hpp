// Bytes as 64-bit words, the first byte the lowest.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace recocore {

static_assert(std::endian::native == std::endian::little);

inline std::uint64_t word_at(const char* at) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, at, 8);
  return word;
}

/// The last `left` (at most 8) of `size` bytes, which begin at `at`, above them zeros; reads nothing but those `size`
/// bytes.
inline std::uint64_t last_word(const char* at, std::size_t left, std::size_t size) noexcept {
  if (left == 0) return 0;
  if (size >= 8) return word_at(at + left - 8) >> (8 * (8 - left));
  if (left >= 4) {
    std::uint32_t low = 0;
    std::uint32_t high = 0;
    std::memcpy(&low, at, 4);
    std::memcpy(&high, at + left - 4, 4);
    return low | static_cast<std::uint64_t>(high) << (8 * (left - 4));
  }
  const auto byte = [at](std::size_t i) { return static_cast<std::uint64_t>(static_cast<unsigned char>(at[i])); };
  // The first, the middle and the last of one to three.
  return byte(0) | byte(left / 2) << (8 * (left / 2)) | byte(left - 1) << (8 * (left - 1));
}

}  // namespace recocore
