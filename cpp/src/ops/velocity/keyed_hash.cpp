#include <bit>

#include "base/words.hpp"
#include "recocore/velocity.hpp"

namespace recocore {
namespace {

struct SipState {
  std::uint64_t v0, v1, v2, v3;

  void round() noexcept {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }

  void take(std::uint64_t word) noexcept {
    v3 ^= word;
    round();
    v0 ^= word;
  }
};

}  // namespace

std::uint64_t keyed_hash(std::string_view bytes, const HashKey& key) noexcept {
  SipState state{key.low ^ 0x736f6d6570736575U, key.high ^ 0x646f72616e646f6dU, key.low ^ 0x6c7967656e657261U,
                 key.high ^ 0x7465646279746573U};
  const std::size_t words = bytes.size() / 8;
  for (std::size_t i = 0; i < words; ++i) state.take(word_at(bytes.data() + i * 8));
  const std::uint64_t last = static_cast<std::uint64_t>(bytes.size()) << 56U |
                             last_word(bytes.data() + words * 8, bytes.size() - words * 8, bytes.size());
  state.take(last);
  state.v2 ^= 0xffU;
  for (int i = 0; i < 3; ++i) state.round();
  const std::uint64_t hash = state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
  return hash == 0 ? 1 : hash;
}

}  // namespace recocore
