#include "recocore/name_codes.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "base/words.hpp"
#include "recocore/error.hpp"
#include "recocore/profiles.hpp"

namespace recocore {
namespace {

// Rows whose places are asked for before the first of them is looked up: 8 to 32 took the same time, 1 twice as long
// with 40,000 names.
constexpr std::int64_t kAhead = 16;
constexpr std::size_t kShort = 16;
constexpr std::size_t kFirstPlaces = 64;

/// A name as two words: its bytes where they fit in, its hash where not.
struct Key {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  std::size_t size = 0;

  [[nodiscard]] std::uint64_t hash() const noexcept {
    const auto product = static_cast<unsigned __int128>(low ^ 0x9E3779B97F4A7C15) * (high ^ size ^ 0xBF58476D1CE4E5B9);
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
  }
};

/// The lowest `bytes` bytes of a word.
std::uint64_t first_bytes(std::uint64_t word, std::size_t bytes) noexcept {
  return bytes >= 8 ? word : word & ~(~std::uint64_t{0} << (8 * bytes));
}

/// `readable` bytes follow the name's beginning.
Key key_of(std::string_view name, std::size_t readable) noexcept {
  if (name.size() > kShort) return {hash_name(name), 0, name.size()};
  std::array<char, kShort> copy{};
  const char* from = name.data();
  if (readable < kShort) {
    std::copy(name.begin(), name.end(), copy.begin());
    from = copy.data();
  }
  Key key{0, 0, name.size()};
  key.low = first_bytes(word_at(from), name.size());
  key.high = first_bytes(word_at(from + 8), name.size() < 8 ? 0 : name.size() - 8);
  return key;
}

/// Names by key, with open addressing.
class Coder {
 public:
  void prefetch(const Key& key) const noexcept { __builtin_prefetch(&places_[key.hash() & (places_.size() - 1)]); }

  std::int32_t code(const Key& key, std::string_view name, std::int64_t row) {
    if (2 * (names_.size() + 1) > places_.size()) grow();
    Place& place = place_of(key, name);
    if (place.code < 0) {
      require(names_.size() < INT32_MAX, [] { return std::string("names: expected fewer than 2**31 distinct names"); });
      place = {key, static_cast<std::int32_t>(names_.size())};
      names_.push_back(name);
      firsts_.push_back(row);
    }
    return place.code;
  }

  [[nodiscard]] std::vector<std::int64_t> take_firsts() { return std::move(firsts_); }

 private:
  struct Place {
    Key key;
    std::int32_t code = -1;
  };

  Place& place_of(const Key& key, std::string_view name) {
    const std::size_t mask = places_.size() - 1;
    for (std::size_t at = key.hash() & mask;; at = (at + 1) & mask) {
      Place& place = places_[at];
      if (place.code < 0) return place;
      if (place.key.low != key.low || place.key.high != key.high || place.key.size != key.size) continue;
      if (key.size <= kShort || names_[static_cast<std::size_t>(place.code)] == name) return place;
    }
  }

  void grow() {
    const std::vector<Place> before = std::exchange(places_, std::vector<Place>(4 * places_.size()));
    const std::size_t mask = places_.size() - 1;
    for (const Place& place : before) {
      if (place.code < 0) continue;
      std::size_t at = place.key.hash() & mask;
      while (places_[at].code >= 0) at = (at + 1) & mask;
      places_[at] = place;
    }
  }

  std::vector<Place> places_ = std::vector<Place>(kFirstPlaces);
  std::vector<std::string_view> names_;
  std::vector<std::int64_t> firsts_;
};

std::string_view name_of(const NameChunk& chunk, std::int64_t row) {
  const std::int32_t begin = chunk.offsets[static_cast<std::size_t>(row)];
  const std::int32_t end = chunk.offsets[static_cast<std::size_t>(row) + 1];
  require(begin >= 0 && begin <= end && end <= std::ssize(chunk.text),
          [] { return std::string("offsets: expected ascending places in the text"); });
  return {chunk.text.data() + begin, static_cast<std::size_t>(end - begin)};
}

/// How many bytes may be read from the name's beginning on.
std::size_t readable(const NameChunk& chunk, std::string_view name) noexcept {
  return static_cast<std::size_t>(chunk.text.data() + chunk.text.size() - name.data());
}

}  // namespace

std::vector<std::int64_t> encode_names(std::span<const NameChunk> chunks, std::span<std::int32_t> codes) {
  std::int64_t rows = 0;
  for (const NameChunk& chunk : chunks) rows += chunk.rows();
  require(rows == std::ssize(codes), [] { return std::string("codes: expected a place for each row"); });
  Coder coder;
  std::int64_t before = 0;
  for (const NameChunk& chunk : chunks) {
    std::array<Key, kAhead> keys;
    std::array<std::string_view, kAhead> names;
    for (std::int64_t begin = 0; begin < chunk.rows(); begin += kAhead) {
      const std::int64_t end = std::min(chunk.rows(), begin + kAhead);
      for (std::int64_t row = begin; row < end; ++row) {
        const auto at = static_cast<std::size_t>(row - begin);
        names[at] = name_of(chunk, row);
        keys[at] = key_of(names[at], readable(chunk, names[at]));
        coder.prefetch(keys[at]);
      }
      for (std::int64_t row = begin; row < end; ++row) {
        const auto at = static_cast<std::size_t>(row - begin);
        codes[static_cast<std::size_t>(before + row)] =
            chunk.valid[row] ? coder.code(keys[at], names[at], before + row) : -1;
      }
    }
    before += chunk.rows();
  }
  return coder.take_firsts();
}

}  // namespace recocore
