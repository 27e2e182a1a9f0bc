// Packed bits, shifts and masks of small non-negative numbers: their operands are signed throughout.
// NOLINTBEGIN(bugprone-signed-bitwise)

// Hashes of names and numbers, and vocabularies.
#include "base/name_hash.hpp"
#include "base/words.hpp"
#include "recocore/profiles.hpp"

namespace recocore {

std::uint64_t hash_name(std::string_view name) noexcept {
  std::uint64_t state = name_hash_begin(name.size());
  const char* at = name.data();
  std::size_t left = name.size();
  for (; left > 8; at += 8, left -= 8) state = folded_product(state ^ word_at(at), kNameOdd);
  return name_hash_end(state, last_word(at, left, name.size()));
}

std::uint64_t hash_number(std::int64_t number) noexcept {
  // The finaliser of splitmix64: different numbers have different hashes.
  auto state = static_cast<std::uint64_t>(number) + kNameOdd;
  state = (state ^ (state >> 30)) * kNameOther;
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
