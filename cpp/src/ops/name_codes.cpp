#include "recocore/name_codes.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <utility>

#include "base/name_hash.hpp"
#include "base/words.hpp"
#include "recocore/error.hpp"
#include "recocore/profiles.hpp"

namespace recocore {
namespace {

// Rows whose places are asked for before the first of them is looked up: 8 to 32 took the same time, 1 twice as long
// with 40,000 names.
constexpr std::size_t kAhead = 16;
constexpr std::size_t kFirstPlaces = 256;
constexpr std::size_t kSpacious = 4'096;  // 96 KB

/// The lengths of a chunk's names.
struct Sizes {
  std::size_t least = 0;
  std::size_t most = 0;
};

/// \throws Error{invalid_argument} for offsets that do not ascend within the text.
Sizes sizes_of(const NameChunk& chunk) {
  if (chunk.rows() == 0) return {};
  // Bits are gathered and looked at in the end: the loop takes several rows a step.
  std::int32_t least = INT32_MAX;
  std::int32_t most = 0;
  std::uint32_t signs = 0;
  for (std::size_t row = 0; row + 1 < chunk.offsets.size(); ++row) {
    const auto begin = static_cast<std::uint32_t>(chunk.offsets[row]);
    const std::uint32_t size = static_cast<std::uint32_t>(chunk.offsets[row + 1]) - begin;
    signs |= begin | size;
    least = std::min(least, static_cast<std::int32_t>(size));
    most = std::max(most, static_cast<std::int32_t>(size));
  }
  constexpr std::uint32_t kNegative = std::uint32_t{1} << 31U;
  require((signs & kNegative) == 0 && chunk.offsets.back() <= std::ssize(chunk.text),
          [] { return std::string("offsets: expected ascending places in the text"); });
  return {static_cast<std::size_t>(least), static_cast<std::size_t>(most)};
}

std::string_view name_of(const NameChunk& chunk, std::size_t row) noexcept {
  const auto begin = static_cast<std::size_t>(chunk.offsets[row]);
  return {chunk.text.data() + begin, static_cast<std::size_t>(chunk.offsets[row + 1]) - begin};
}

/// The first `bytes` (fewer than 8) of a word.
constexpr std::uint64_t first_bytes(std::uint64_t word, std::size_t bytes) noexcept {
  return word & ((std::uint64_t{1} << (8 * bytes)) - 1);
}

// What stands for a name in the table. The size is in the highest byte: equal keys are equal names.

/// Names of at most 7 bytes.
struct ShortNames {
  static constexpr std::size_t kReads = 8;  // bytes from the name's beginning on
  struct Key {
    std::uint64_t word = 0;
    bool operator==(const Key&) const = default;
    [[nodiscard]] std::uint64_t hash() const noexcept { return folded_product(word, kNameOdd); }
    [[nodiscard]] static constexpr bool names_the_name() noexcept { return true; }
  };
  static Key key(const char* at, std::string_view name) noexcept {
    return {first_bytes(word_at(at), name.size()) | static_cast<std::uint64_t>(name.size()) << 56U};
  }
};

/// Which bits of two words belong to a name of each size up to kMost: a table takes no branches.
struct Masks {
  static constexpr std::size_t kMost = 15;

  constexpr Masks() {
    for (std::size_t size = 0; size <= kMost; ++size) {
      low[size] = size >= 8 ? ~std::uint64_t{0} : first_bytes(~std::uint64_t{0}, size);
      high[size] = size >= 8 ? first_bytes(~std::uint64_t{0}, size - 8) : 0;
    }
  }

  std::array<std::uint64_t, kMost + 1> low{};
  std::array<std::uint64_t, kMost + 1> high{};
};

/// Names of any length: of more than 15 bytes the key is a hash, and the names are compared.
struct AnyNames {
  static constexpr std::size_t kReads = 16;
  static constexpr std::uint64_t kHashed = std::uint64_t{1} << 63U;
  static constexpr Masks kMasks{};
  struct Key {
    std::uint64_t low = 0;
    std::uint64_t high = 0;
    bool operator==(const Key&) const = default;
    [[nodiscard]] std::uint64_t hash() const noexcept { return folded_product(low ^ kNameOdd, high ^ kNameOther); }
    [[nodiscard]] bool names_the_name() const noexcept { return (high & kHashed) == 0; }
  };
  static Key key(const char* at, std::string_view name) noexcept {
    const std::size_t size = name.size();
    if (size > Masks::kMost) return {hash_name(name), kHashed | size};
    return {word_at(at) & kMasks.low[size], (word_at(at + 8) & kMasks.high[size]) | static_cast<std::uint64_t>(size)
                                                                                        << 56U};
  }
};

/// How many bytes of a text may be read from a part's beginning on.
std::size_t readable(std::string_view text, std::string_view part) noexcept {
  return static_cast<std::size_t>(text.end() - part.begin());
}

/// The key of a chunk's row, which reads no byte behind the text.
template <typename Names>
Names::Key key_of(std::string_view text, std::string_view name) noexcept {
  const char* at = name.data();
  std::array<char, Names::kReads> copy{};
  if (readable(text, name) < Names::kReads) {
    std::copy(name.begin(), name.end(), copy.begin());
    at = copy.data();
  }
  return Names::key(at, name);
}

/// Names by key, with open addressing.
template <typename Key>
class Coder {
 public:
  void prefetch(std::uint64_t hash) const noexcept { __builtin_prefetch(&places_[hash & mask_]); }

  /// `hash` is the key's.
  std::int32_t code(const Key& key, std::uint64_t hash, std::string_view name, std::int64_t row) {
    for (std::size_t at = hash & mask_;; at = (at + 1) & mask_) {
      const Place& place = places_[at];
      if (place.code < 0) return add(at, key, name, row);
      if (place.key == key && (key.names_the_name() || names_[static_cast<std::size_t>(place.code)] == name))
        return place.code;
    }
  }

  [[nodiscard]] std::vector<std::int64_t> take_firsts() { return std::move(firsts_); }

 private:
  struct Place {
    Key key;
    std::int32_t code = -1;
  };

  [[gnu::noinline]] std::int32_t add(std::size_t at, const Key& key, std::string_view name, std::int64_t row) {
    require(names_.size() < INT32_MAX, [] { return std::string("names: expected fewer than 2**31 distinct names"); });
    const auto code = static_cast<std::int32_t>(names_.size());
    places_[at] = {key, code};
    names_.push_back(name);
    firsts_.push_back(row);
    if (room() * names_.size() > places_.size()) grow();
    return code;
  }

  /// Places for a name: where names are few, so many that hardly one has to look further, which cannot be foreseen.
  [[nodiscard]] std::size_t room() const noexcept { return places_.size() <= kSpacious ? 8 : 2; }

  void grow() {
    const std::vector<Place> before = std::exchange(places_, std::vector<Place>(4 * places_.size()));
    mask_ = places_.size() - 1;
    for (const Place& place : before) {
      if (place.code < 0) continue;
      std::size_t at = place.key.hash() & mask_;
      while (places_[at].code >= 0) at = (at + 1) & mask_;
      places_[at] = place;
    }
  }

  std::vector<Place> places_ = std::vector<Place>(kFirstPlaces);
  std::size_t mask_ = kFirstPlaces - 1;
  std::vector<std::string_view> names_;
  std::vector<std::int64_t> firsts_;
};

/// Whether each row of a chunk has the first one's name, as a currency or a channel may.
bool one_name(const NameChunk& chunk, const Sizes& sizes) {
  if (chunk.rows() < 2 || sizes.least != sizes.most) return false;
  const std::string_view first = name_of(chunk, 0);
  return std::memcmp(first.data(), first.data() + first.size(),
                     first.size() * static_cast<std::size_t>(chunk.rows() - 1)) == 0;
}

/// Writes the codes of a chunk whose first row is row `before` of the column.
template <typename Names>
void encode_chunk(const NameChunk& chunk, std::int64_t before, Coder<typename Names::Key>& coder,
                  std::span<std::int32_t> codes) {
  const auto rows = static_cast<std::size_t>(chunk.rows());
  const bool all = chunk.valid.all();
  std::array<typename Names::Key, kAhead> keys;
  std::array<std::uint64_t, kAhead> hashes;
  for (std::size_t begin = 0; begin < rows; begin += kAhead) {
    const std::size_t size = std::min(kAhead, rows - begin);
    for (std::size_t i = 0; i < size; ++i) {
      keys[i] = key_of<Names>(chunk.text, name_of(chunk, begin + i));
      hashes[i] = keys[i].hash();
      coder.prefetch(hashes[i]);
    }
    for (std::size_t i = 0; i < size; ++i) {
      const std::size_t row = begin + i;
      const auto place = static_cast<std::int64_t>(row);
      codes[row] = all || chunk.valid[place] ? coder.code(keys[i], hashes[i], name_of(chunk, row), before + place) : -1;
    }
  }
}

/// The same where every row has the name of the first.
template <typename Names>
void encode_one_name(const NameChunk& chunk, std::int64_t before, Coder<typename Names::Key>& coder,
                     std::span<std::int32_t> codes) {
  const std::string_view name = name_of(chunk, 0);
  const auto key = key_of<Names>(chunk.text, name);
  for (std::int64_t row = 0, code = -1; row < chunk.rows(); ++row) {
    if (code < 0 && chunk.valid[row]) code = coder.code(key, key.hash(), name, before + row);
    codes[static_cast<std::size_t>(row)] = chunk.valid[row] ? static_cast<std::int32_t>(code) : -1;
  }
}

template <typename Names>
std::vector<std::int64_t> encode(std::span<const NameChunk> chunks, std::span<const Sizes> sizes,
                                 std::span<std::int32_t> codes) {
  Coder<typename Names::Key> coder;
  std::int64_t before = 0;
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    const auto ours = codes.subspan(static_cast<std::size_t>(before));
    if (one_name(chunks[i], sizes[i])) {
      encode_one_name<Names>(chunks[i], before, coder, ours);
    } else {
      encode_chunk<Names>(chunks[i], before, coder, ours);
    }
    before += chunks[i].rows();
  }
  return coder.take_firsts();
}

}  // namespace

std::vector<std::int64_t> encode_names(std::span<const NameChunk> chunks, std::span<std::int32_t> codes) {
  std::int64_t rows = 0;
  for (const NameChunk& chunk : chunks) rows += chunk.rows();
  require(rows == std::ssize(codes), [] { return std::string("codes: expected a place for each row"); });
  std::vector<Sizes> sizes;
  for (const NameChunk& chunk : chunks) sizes.push_back(sizes_of(chunk));
  const bool are_short = std::ranges::all_of(sizes, [](const Sizes& each) { return each.most < 8; });
  return are_short ? encode<ShortNames>(chunks, sizes, codes) : encode<AnyNames>(chunks, sizes, codes);
}

void hash_names(const NameChunk& names, std::span<std::uint64_t> hashes) {
  require(names.rows() == std::ssize(hashes), [] { return std::string("hashes: expected a place for each row"); });
  sizes_of(names);
  static constexpr ShortNameHash kShort;
  for (std::size_t row = 0; row < hashes.size(); ++row) {
    const std::string_view name = name_of(names, row);
    const char* const at = name.data();
    const bool is_short = name.size() <= ShortNameHash::kMost && readable(names.text, name) >= 8;
    const std::uint64_t hash = is_short ? kShort(word_at(at), name.size()) : hash_name(name);
    hashes[row] = name.empty() ? 0 : hash;
  }
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
