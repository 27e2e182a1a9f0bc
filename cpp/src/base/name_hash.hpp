// The step by which names are hashed, and the hash of a name that is one word.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace recocore {

/// The high and low halves of a product, folded: the step of wyhash.
constexpr std::uint64_t folded_product(std::uint64_t a, std::uint64_t b) noexcept {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
}

inline constexpr std::uint64_t kNameOdd = 0x9E3779B97F4A7C15;
inline constexpr std::uint64_t kNameOther = 0xBF58476D1CE4E5B9;

/// Where the hash of a name of so many bytes begins.
constexpr std::uint64_t name_hash_begin(std::uint64_t size) noexcept {
  return folded_product(size ^ kNameOther, kNameOdd);
}

/// And ends, with the last word of the name; never 0.
constexpr std::uint64_t name_hash_end(std::uint64_t state, std::uint64_t last) noexcept {
  state = folded_product(state ^ last, kNameOther);
  state ^= state >> 32U;
  return state == 0 ? 1 : state;
}

/// hash_name() of names of up to 8 bytes, of which eight may be read, without a branch on their size.
struct ShortNameHash {
  static constexpr std::size_t kMost = 8;

  constexpr ShortNameHash() {
    for (std::size_t size = 0; size <= kMost; ++size) {
      begins[size] = name_hash_begin(size);
      masks[size] = size == 0 ? 0 : ~std::uint64_t{0} >> (64 - 8 * size);
    }
  }

  [[nodiscard]] std::uint64_t operator()(std::uint64_t word, std::size_t size) const noexcept {
    return name_hash_end(begins[size], word & masks[size]);
  }

  std::array<std::uint64_t, kMost + 1> begins{};
  std::array<std::uint64_t, kMost + 1> masks{};
};

}  // namespace recocore
