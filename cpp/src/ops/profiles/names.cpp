// Packed bits, shifts and masks of small non-negative numbers: their operands are signed throughout.
// NOLINTBEGIN(bugprone-signed-bitwise)

// Hashes of names and numbers, and vocabularies.
#include "base/words.hpp"
#include "recocore/profiles.hpp"

namespace recocore {
namespace {

constexpr std::uint64_t kOdd = 0x9E3779B97F4A7C15;
constexpr std::uint64_t kOther = 0xBF58476D1CE4E5B9;

/// The high and low halves of a product, folded: the step of wyhash.
std::uint64_t mix(std::uint64_t a, std::uint64_t b) noexcept {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

}  // namespace

std::uint64_t hash_name(std::string_view name) noexcept {
  std::uint64_t state = mix(name.size() ^ kOther, kOdd);
  const char* at = name.data();
  std::size_t left = name.size();
  for (; left > 8; at += 8, left -= 8) state = mix(state ^ word_at(at), kOdd);
  state = mix(state ^ last_word(at, left, name.size()), kOther);
  state ^= state >> 32;
  return state == 0 ? 1 : state;
}

std::uint64_t hash_number(std::int64_t number) noexcept {
  // The finaliser of splitmix64: different numbers have different hashes.
  auto state = static_cast<std::uint64_t>(number) + kOdd;
  state = (state ^ (state >> 30)) * kOther;
  state = (state ^ (state >> 27)) * 0x94D049BB133111EB;
  return state ^ (state >> 31);
}

std::int32_t Vocabulary::add(std::string_view name) {
  names_.push_back(name);
  hashes_.push_back(hash_name(name));
  return size() - 1;
}

}  // namespace recocore
// NOLINTEND(bugprone-signed-bitwise)
