#include "recocore/name_codes.hpp"

#include <algorithm>
#include <array>
#include <cstring>
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
constexpr std::size_t kFirstPlaces = 256;
constexpr std::size_t kSpacious = 4'096;  // 160 KB

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

/// Which bits of two words belong to a name of each size up to kShort: a table takes no branches.
struct Masks {
  std::array<std::uint64_t, kShort + 1> low{};
  std::array<std::uint64_t, kShort + 1> high{};
};

consteval Masks masks() {
  Masks made;
  for (std::size_t size = 0; size <= kShort; ++size) {
    const auto first = [](std::size_t bytes) {
      return bytes >= 8 ? ~std::uint64_t{0} : ~(~std::uint64_t{0} << (8 * bytes));
    };
    made.low[size] = first(size);
    made.high[size] = first(size < 8 ? 0 : size - 8);
  }
  return made;
}

constexpr Masks kMasks = masks();

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
  key.low = word_at(from) & kMasks.low[name.size()];
  key.high = word_at(from + 8) & kMasks.high[name.size()];
  return key;
}

/// Names by key, with open addressing.
class Coder {
 public:
  void prefetch(std::uint64_t hash) const noexcept { __builtin_prefetch(&places_[hash & (places_.size() - 1)]); }

  /// `hash` is the key's.
  std::int32_t code(const Key& key, std::uint64_t hash, std::string_view name, std::int64_t row) {
    if (room() * (names_.size() + 1) > places_.size()) grow();
    Place& place = place_of(key, hash, name);
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

  Place& place_of(const Key& key, std::uint64_t hash, std::string_view name) {
    const std::size_t mask = places_.size() - 1;
    for (std::size_t at = hash & mask;; at = (at + 1) & mask) {
      Place& place = places_[at];
      if (place.code < 0) return place;
      if (place.key.low != key.low || place.key.high != key.high || place.key.size != key.size) continue;
      if (key.size <= kShort || names_[static_cast<std::size_t>(place.code)] == name) return place;
    }
  }

  /// Places for a name: where names are few, so many that hardly one has to look further, which cannot be foreseen.
  [[nodiscard]] std::size_t room() const noexcept { return places_.size() <= kSpacious ? 8 : 2; }

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

/// Whether each row of a chunk has the first one's name, as a currency or a channel may.
bool one_name(const NameChunk& chunk) {
  const std::int64_t rows = chunk.rows();
  if (rows < 2) return false;
  const std::string_view first = name_of(chunk, 0);
  const auto begin = static_cast<std::size_t>(chunk.offsets.front());
  const std::size_t rest = first.size() * static_cast<std::size_t>(rows - 1);
  if (begin + first.size() + rest > chunk.text.size()) return false;
  const auto size = static_cast<std::uint32_t>(first.size());
  constexpr std::int64_t kRows = 1'024;  // a column of several names is told by its first ones
  for (std::int64_t from = 0; from < rows; from += kRows) {
    std::uint32_t other = 0;
    for (std::int64_t row = from; row < std::min(rows, from + kRows); ++row) {
      const auto at = static_cast<std::size_t>(row);
      other |=
          (static_cast<std::uint32_t>(chunk.offsets[at + 1]) - static_cast<std::uint32_t>(chunk.offsets[at])) ^ size;
    }
    if (other != 0) return false;
  }
  return std::memcmp(first.data(), first.data() + first.size(), rest) == 0;
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
    if (one_name(chunk)) {
      const std::string_view name = name_of(chunk, 0);
      const Key key = key_of(name, readable(chunk, name));
      for (std::int64_t row = 0, code = -1; row < chunk.rows(); ++row) {
        if (code < 0 && chunk.valid[row]) code = coder.code(key, key.hash(), name, before + row);
        codes[static_cast<std::size_t>(before + row)] = chunk.valid[row] ? static_cast<std::int32_t>(code) : -1;
      }
      before += chunk.rows();
      continue;
    }
    std::array<Key, kAhead> keys;
    std::array<std::uint64_t, kAhead> hashes;
    std::array<std::string_view, kAhead> names;
    for (std::int64_t begin = 0; begin < chunk.rows(); begin += kAhead) {
      const std::int64_t end = std::min(chunk.rows(), begin + kAhead);
      for (std::int64_t row = begin; row < end; ++row) {
        const auto at = static_cast<std::size_t>(row - begin);
        names[at] = name_of(chunk, row);
        keys[at] = key_of(names[at], readable(chunk, names[at]));
        hashes[at] = keys[at].hash();
        coder.prefetch(hashes[at]);
      }
      for (std::int64_t row = begin; row < end; ++row) {
        const auto at = static_cast<std::size_t>(row - begin);
        codes[static_cast<std::size_t>(before + row)] =
            chunk.valid[row] ? coder.code(keys[at], hashes[at], names[at], before + row) : -1;
      }
    }
    before += chunk.rows();
  }
  return coder.take_firsts();
}

std::vector<std::uint8_t> codes_in_use(std::span<const std::int32_t> codes, std::int32_t names) {
  // One more before the first: the place of -1.
  std::vector<std::uint8_t> in_use(static_cast<std::size_t>(names) + 1, 0);
  for (const std::int32_t code : codes) {
    const auto place = static_cast<std::uint32_t>(code) + 1;
    require(place < in_use.size(), [&] {
      return "codes: expected at least -1 and less than " + std::to_string(names) + ", got " + std::to_string(code);
    });
    in_use[place] = 1;
  }
  in_use.erase(in_use.begin());
  return in_use;
}

void renumber(std::span<std::int32_t> codes, std::span<const std::int32_t> numbers) {
  for (std::int32_t& code : codes) {
    require(static_cast<std::uint32_t>(code) < numbers.size(), [&] {
      return "codes: expected at least 0 and less than " + std::to_string(numbers.size()) + ", got " +
             std::to_string(code);
    });
    code = numbers[static_cast<std::size_t>(code)];
  }
}

}  // namespace recocore
