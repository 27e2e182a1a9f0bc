#include "recocore/name_codes.hpp"

#include <doctest/doctest.h>

#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>

#include "recocore/error.hpp"
#include "recocore/profiles.hpp"

namespace {

using namespace recocore;

using Name = std::optional<std::string>;

/// A column in the layout of Arrow, its first row at bit `from`.
struct Column {
  std::vector<std::int32_t> offsets{0};
  std::string text;
  std::vector<std::uint8_t> valid;
  std::int64_t from;

  Column(const std::vector<Name>& names, std::int64_t from_) : from(from_) {
    valid.assign((names.size() + static_cast<std::size_t>(from)) / 8 + 1, 0);
    for (std::size_t i = 0; i < names.size(); ++i) {
      text += names[i].value_or("");
      offsets.push_back(static_cast<std::int32_t>(text.size()));
      const std::size_t bit = i + static_cast<std::size_t>(from);
      if (names[i]) valid[bit / 8] = static_cast<std::uint8_t>(valid[bit / 8] | 1U << (bit % 8));
    }
  }

  [[nodiscard]] NameChunk chunk() const { return {offsets, text, {valid, from, std::ssize(offsets) - 1}}; }
};

/// Codes as a map gives them.
void compare(const std::vector<Name>& names, std::size_t cut) {
  const auto middle = names.begin() + static_cast<std::ptrdiff_t>(cut);
  const Column head({names.begin(), middle}, 3);
  const Column tail({middle, names.end()}, 0);
  const std::vector<NameChunk> chunks{head.chunk(), tail.chunk()};
  std::vector<std::int32_t> codes(names.size());
  const auto firsts = encode_names(chunks, codes);
  std::map<std::string, std::int32_t> known;
  std::vector<std::int64_t> expected_firsts;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!names[i]) {
      CHECK(codes[i] == -1);
      continue;
    }
    const auto [at, added] = known.emplace(*names[i], static_cast<std::int32_t>(known.size()));
    if (added) expected_firsts.push_back(static_cast<std::int64_t>(i));
    REQUIRE(codes[i] == at->second);
  }
  CHECK(firsts == expected_firsts);
}

TEST_CASE("names of every length get the codes that a map gives") {
  std::mt19937 random(1);
  std::vector<Name> names;
  for (int i = 0; i < 3000; ++i) {
    // Few letters, so that names differ in their length or in one place alone, NUL among them.
    std::string name(random() % 40, 'a');
    if (!name.empty() && random() % 2 == 0) name[random() % name.size()] = random() % 2 == 0 ? '\0' : 'b';
    names.push_back(random() % 10 == 0 ? Name() : Name(name));
  }
  for (const std::size_t cut : {0, 1, 17, 1500, 3000}) compare(names, cut);
}

TEST_CASE("names of up to seven bytes, which are words, get the codes that a map gives") {
  std::mt19937 random(2);
  std::vector<Name> names;
  for (int i = 0; i < 3000; ++i) {
    std::string name(random() % 8, 'a');
    if (!name.empty() && random() % 2 == 0) name[random() % name.size()] = random() % 2 == 0 ? '\0' : 'b';
    names.push_back(random() % 10 == 0 ? Name() : Name(name));
  }
  for (const std::size_t cut : {0, 1, 17, 1500, 3000}) compare(names, cut);
  // One longer name anywhere takes all of them the other way.
  for (const std::size_t longer : {0, 1499, 1500, 2999}) {
    for (const std::size_t size : {8, 15, 16}) {
      auto changed = names;
      changed[longer] = std::string(size, 'a');
      compare(changed, 1500);
    }
  }
}

TEST_CASE("a column's hashes are those of its names, to the end of the text") {
  std::mt19937 random(3);
  for (int round = 0; round < 50; ++round) {
    std::vector<Name> names;
    for (int i = 0; i < 40; ++i) {
      std::string name(random() % 20, 'a');
      for (char& letter : name) letter = static_cast<char>(random() % 256);
      names.emplace_back(name);
    }
    const Column column(names, 0);
    // Of the text's own size: reading on is seen by the address sanitizer.
    const std::vector<char> text(column.text.begin(), column.text.end());
    const NameChunk chunk{column.offsets, {text.data(), text.size()}, {}};
    std::vector<std::uint64_t> hashes(names.size());
    hash_names(chunk, hashes);
    for (std::size_t i = 0; i < names.size(); ++i) REQUIRE(hashes[i] == (names[i]->empty() ? 0 : hash_name(*names[i])));
    std::vector<std::int32_t> codes(names.size());
    REQUIRE(encode_names(std::vector{chunk}, codes).size() == std::set<Name>(names.begin(), names.end()).size());
  }
  std::vector<std::uint64_t> one(1);
  const std::vector<std::int32_t> outside{0, 4};
  CHECK_THROWS_AS(hash_names({outside, "abc", {}}, one), Error);
  CHECK_THROWS_AS(hash_names({}, one), Error);
}

TEST_CASE("many names are told apart, and the table grows") {
  std::vector<Name> names;
  for (int round = 0; round < 2; ++round)
    for (int i = 0; i < 20000; ++i)
      names.emplace_back("user-" + std::to_string(i) + (i % 3 == 0 ? "-of-a-long-name" : ""));
  compare(names, 15000);
}

TEST_CASE("one name throughout, and names that are nearly that") {
  for (const std::string& name : {std::string(), std::string("GBP"), std::string(40, 'x')}) {
    std::vector<Name> names(3000, name);
    for (const std::size_t cut : {0, 1, 1500}) compare(names, cut);
    for (const std::size_t other : {0, 1, 1200, 2999}) {
      auto changed = names;
      changed[other] = name + "!";
      compare(changed, 1500);
      changed[other] = std::string(name.size(), 'y');  // of the same size
      compare(changed, 1500);
      changed[other].reset();
      compare(changed, 0);
    }
  }
  // Where the name is empty, rows without one take no text either.
  std::vector<Name> gaps(2000, std::string());
  for (std::size_t i = 0; i < gaps.size(); i += 3) gaps[i].reset();
  compare(gaps, 700);
}

TEST_CASE("which codes are in use") {
  const std::vector<std::int32_t> codes{3, -1, 0, 3};
  CHECK(codes_in_use(codes, 5) == std::vector<std::uint8_t>{1, 0, 0, 1, 0});
  CHECK(codes_in_use({}, 0).empty());
  for (const std::int32_t wrong : {-2, 5, INT32_MIN, INT32_MAX}) {
    const std::vector<std::int32_t> other{0, wrong};
    CHECK_THROWS_AS(codes_in_use(other, 5), Error);
  }
}

TEST_CASE("a column of nothing has no codes") {
  std::vector<std::int32_t> codes;
  CHECK(encode_names({}, codes).empty());
  const std::vector<std::int32_t> offsets{0};
  const std::vector<NameChunk> chunks{{offsets, {}, {}}, {}};
  CHECK(encode_names(chunks, codes).empty());
}

TEST_CASE("what does not fit is refused") {
  std::vector<std::int32_t> codes(1);
  const auto refused = [&](const std::vector<std::int32_t>& offsets) {
    const std::vector<NameChunk> chunks{{offsets, "abc", {}}};
    CHECK_THROWS_AS(encode_names(chunks, codes), Error);
  };
  refused({0, 4});
  refused({2, 1});
  refused({-1, 1});
  refused({INT32_MIN, INT32_MAX});
  refused({0, 1, 2});  // more rows than places
  const std::vector<std::uint8_t> bits{255};
  CHECK_NOTHROW(ValidBits(bits, 7, 1));
  CHECK_THROWS_AS(ValidBits(bits, 8, 1), Error);
  CHECK_THROWS_AS(ValidBits(bits, -1, 1), Error);
}

TEST_CASE("codes are numbered anew where each has a number") {
  std::vector<std::int32_t> codes{2, 0, 0, 1};
  const std::vector<std::int32_t> numbers{7, 5, 9};
  renumber(codes, numbers);
  CHECK(codes == std::vector<std::int32_t>{9, 7, 7, 5});
  for (const std::int32_t wrong : {-1, 3}) {
    std::vector<std::int32_t> other{0, wrong};
    CHECK_THROWS_AS(renumber(other, numbers), Error);
  }
}

TEST_CASE("hashes of names are those that saved states hold") {
  // Computed by the first build of this library; a change would make saved states unreadable.
  const std::string text = "abcdefghijklmnopqrstuvwxyz";
  std::uint64_t all = 0;
  for (std::size_t size = 0; size <= text.size(); ++size) all = all * 31 + hash_name({text.data(), size});
  CHECK(all == 9434980655485692670U);
}

}  // namespace
