#include "recocore/blake2b.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

#include "recocore/error.hpp"

namespace recocore {
namespace {

constexpr std::size_t kBlock = 128;
using State = std::array<std::uint64_t, 8>;

constexpr State kStart{0x6a09e667f3bcc908U, 0xbb67ae8584caa73bU, 0x3c6ef372fe94f82bU, 0xa54ff53a5f1d36f1U,
                       0x510e527fade682d1U, 0x9b05688c2b3e6c1fU, 0x1f83d9abfb41bd6bU, 0x5be0cd19137e2179U};

constexpr std::array<std::array<std::uint8_t, 16>, 10> kOrder{{
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
    {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
    {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
    {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
    {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
}};

static_assert(std::endian::native == std::endian::little, "words are read as they stand");

void compress(State& state, const std::uint8_t* block, std::uint64_t bytes_so_far, bool last) noexcept {
  std::array<std::uint64_t, 16> m;
  std::memcpy(m.data(), block, kBlock);
  std::array<std::uint64_t, 16> v;
  for (std::size_t i = 0; i < 8; ++i) {
    v[i] = state[i];
    v[i + 8] = kStart[i];
  }
  v[12] ^= bytes_so_far;
  if (last) v[14] = ~v[14];
  const auto mix = [&v](std::size_t a, std::size_t b, std::size_t c, std::size_t d, std::uint64_t x, std::uint64_t y) {
    v[a] += v[b] + x;
    v[d] = std::rotr(v[d] ^ v[a], 32);
    v[c] += v[d];
    v[b] = std::rotr(v[b] ^ v[c], 24);
    v[a] += v[b] + y;
    v[d] = std::rotr(v[d] ^ v[a], 16);
    v[c] += v[d];
    v[b] = std::rotr(v[b] ^ v[c], 63);
  };
  for (std::size_t round = 0; round < 12; ++round) {
    const auto& at = kOrder[round % kOrder.size()];
    mix(0, 4, 8, 12, m[at[0]], m[at[1]]);
    mix(1, 5, 9, 13, m[at[2]], m[at[3]]);
    mix(2, 6, 10, 14, m[at[4]], m[at[5]]);
    mix(3, 7, 11, 15, m[at[6]], m[at[7]]);
    mix(0, 5, 10, 15, m[at[8]], m[at[9]]);
    mix(1, 6, 11, 12, m[at[10]], m[at[11]]);
    mix(2, 7, 8, 13, m[at[12]], m[at[13]]);
    mix(3, 4, 9, 14, m[at[14]], m[at[15]]);
  }
  for (std::size_t i = 0; i < 8; ++i) state[i] ^= v[i] ^ v[i + 8];
}

}  // namespace

KeyedBlake2b::KeyedBlake2b(std::string_view key, std::string_view person) {
  require(!key.empty() && key.size() <= 64 && person.size() <= 16, [&] {
    return "key, person: expected 1 to 64 and up to 16 bytes, got " + std::to_string(key.size()) + " and " +
           std::to_string(person.size());
  });
  std::array<std::uint8_t, 64> parameters{};
  parameters[0] = kDigestBytes;
  parameters[1] = static_cast<std::uint8_t>(key.size());
  parameters[2] = parameters[3] = 1;  // one leaf, no tree
  std::memcpy(parameters.data() + 48, person.data(), person.size());
  State state = kStart;
  std::array<std::uint64_t, 8> words;
  std::memcpy(words.data(), parameters.data(), parameters.size());
  for (std::size_t i = 0; i < 8; ++i) state[i] ^= words[i];
  std::array<std::uint8_t, kBlock> block{};
  std::memcpy(block.data(), key.data(), key.size());
  begun_ = empty_ = state;
  compress(begun_, block.data(), kBlock, false);
  compress(empty_, block.data(), kBlock, true);
}

KeyedBlake2b::Digest KeyedBlake2b::digest(std::string_view bytes) const noexcept {
  State state = bytes.empty() ? empty_ : begun_;
  std::uint64_t taken = kBlock;
  while (!bytes.empty()) {
    std::array<std::uint8_t, kBlock> block{};
    const std::size_t length = std::min(bytes.size(), kBlock);
    std::memcpy(block.data(), bytes.data(), length);
    taken += length;
    bytes.remove_prefix(length);
    compress(state, block.data(), taken, bytes.empty());
  }
  Digest digest;
  std::memcpy(digest.data(), state.data(), digest.size());
  return digest;
}

}  // namespace recocore
