#include "recocore/name_sets.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace {

using recocore::Interner;
using recocore::NameSets;

std::vector<std::string> spelled(const NameSets& sets, std::int32_t set) {
  std::vector<std::string> names;
  for (const std::int32_t member : sets.members(set)) names.emplace_back(sets.names().name(member));
  return names;
}

TEST_CASE("a set is named by its members in order, each once") {
  CHECK(NameSets::joined({"wool", "gift", "wool"}) == "gift\x1fwool");
  CHECK(NameSets::joined({"b", "\xc3\xa9", "a"}) ==
        "a\x1f"
        "b\x1f\xc3\xa9");
  CHECK(NameSets::joined({}) == "");
  CHECK_FALSE(NameSets::joined({"a", ""}).has_value());
  CHECK_FALSE(NameSets::joined({"a\x1f"
                                "b"})
                  .has_value());
}

TEST_CASE("members are read as sets come, and have one code in all of them") {
  Interner names;
  NameSets sets;
  names.intern(*NameSets::joined({"gift", "wool"}));
  names.intern("");
  sets.follow(names.names());
  CHECK(sets.size() == 2);
  names.intern(*NameSets::joined({"cotton", "gift", "red"}));
  sets.follow(names.names());
  sets.follow(names.names());
  REQUIRE(sets.size() == 3);
  CHECK(spelled(sets, 0) == std::vector<std::string>{"gift", "wool"});
  CHECK(spelled(sets, 1).empty());
  CHECK(spelled(sets, 2) == std::vector<std::string>{"cotton", "gift", "red"});
  CHECK(sets.members(2)[1] == sets.members(0)[0]);
  CHECK(sets.names().size() == 4);
  CHECK(sets.bytes() > 0);
}

}  // namespace
