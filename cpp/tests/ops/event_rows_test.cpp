#include "recocore/event_rows.hpp"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

#include "ops/events/message_pack.hpp"
#include "recocore/error.hpp"

namespace {

using namespace recocore;

constexpr std::int64_t kNow = 1'750'000'000'000'000;

EventRows reader() {
  using Kind = EventRowKind;
  const KeyedBlake2b hash("key", "user");
  return {{{"event_id", Kind::id, 8},
           {"event_time", Kind::time, 0},
           {"user_id", Kind::name, 8},
           {"visitor_id", Kind::id, 8},
           {"item_id", Kind::name, 8},
           {"type", Kind::id, 8},
           {"price", Kind::number, 0},
           {"count", Kind::whole, 0},
           {"note", Kind::text, 4},
           {"tags", Kind::texts, 3, 2}},
          {"visit"},
          "view",
          {hash, KeyedBlake2b("key", "visitor"), KeyedBlake2b("key", "event")}};
}

/// A map of texts, but for numbers that the caller packs.
std::string map_of(const std::vector<std::pair<std::string, std::string>>& texts) {
  std::string map(1, static_cast<char>(0x80 | texts.size()));
  events::Packer packer(map);
  for (const auto& [name, value] : texts) {
    packer.text(name);
    packer.text(value);
  }
  return map;
}

TEST_CASE("a sound row is packed in the order of the fields") {
  EventRow row;
  REQUIRE(reader().read(map_of({{"type", "buy"}, {"user_id", "ann"}, {"item_id", "tea"}}), kNow, row));
  CHECK(row.time == kNow);
  CHECK(row.item == "tea");
  CHECK(row.type == "buy");
  CHECK(!row.visitor);
  CHECK(row.subject == KeyedBlake2b("key", "user").digest("ann"));
  CHECK(row.event == KeyedBlake2b::Digest{});
  std::string expected;
  events::Packer packer(expected);
  packer.array_head(10);
  packer.nil();
  packer.whole(kNow);
  packer.text("ann");
  packer.nil();
  packer.text("tea");
  packer.text("buy");
  for (int i = 0; i < 4; ++i) packer.nil();
  CHECK(row.packed == expected);
}

TEST_CASE("a list of texts is packed as it came, and left where a text may be wrong") {
  const auto read = [](const std::vector<std::string>& tags, EventRow& row) {
    std::string map = map_of({{"user_id", "ann"}, {"item_id", "tea"}});
    map[0] = '\x83';
    events::Packer packer(map);
    packer.text("tags");
    packer.array_head(tags.size());
    for (const std::string& tag : tags) packer.text(tag);
    return reader().read(map, kNow, row);
  };
  EventRow row;
  REQUIRE(read({"red", "gr\xc3\xbc"}, row));
  std::string expected;
  events::Packer packer(expected);
  packer.array_head(2);
  packer.text("red");
  packer.text("gr\xc3\xbc");
  CHECK(row.packed.ends_with(expected));
  CHECK(read({}, row));
  for (const std::vector<std::string>& wrong :
       {std::vector<std::string>{"a", "b", "c"}, {"long"}, {""}, {"a\x1f"}, {"\xff"}})
    CHECK_FALSE(read(wrong, row));
}

TEST_CASE("whatever may be wrong is left") {
  const EventRows rows = reader();
  EventRow row;
  const auto read = [&](const std::vector<std::pair<std::string, std::string>>& texts) {
    return rows.read(map_of(texts), kNow, row);
  };
  CHECK(read({{"visitor_id", "v"}, {"item_id", "tea"}}));
  CHECK(row.visitor);
  CHECK(row.type == "view");
  CHECK(read({{"user_id", "u"}, {"type", "visit"}}));
  CHECK(!row.has_item);
  CHECK(!read({{"item_id", "tea"}}));                                        // nobody's
  CHECK(!read({{"user_id", "u"}, {"type", "buy"}}));                         // without an item
  CHECK(!read({{"user_id", "u"}, {"item_id", "tea"}, {"colour", "red"}}));   // unknown
  CHECK(!read({{"user_id", "u"}, {"item_id", "tea"}, {"item_id", "pot"}}));  // twice
  CHECK(!read({{"user_id", "u"}, {"item_id", std::string("a\0b", 3)}}));     // what records join by
  CHECK(!read({{"user_id", "123456789"}, {"item_id", "tea"}}));              // too long
  CHECK(!read({{"user_id", ""}, {"item_id", "tea"}}));                       // empty
  CHECK(!read({{"user_id", "u"}, {"item_id", "tea"}, {"note", "12345"}}));   // too long
  CHECK(!read({{"user_id", "u"}, {"item_id", "tea"}, {"note", "\xff"}}));    // no UTF-8
  CHECK(!read({{"user_id", "u"}, {"item_id", "tea"}, {"price", "2"}}));      // no number
  CHECK(!rows.read(map_of({{"user_id", "u"}, {"item_id", "tea"}}) + "x", kNow, row));
  for (const auto& bytes : {std::string(), std::string("\xc1"), std::string("\x81"), std::string("\x90")})
    CHECK(!rows.read(bytes, kNow, row));
}

TEST_CASE("times go to a day from now") {
  const EventRows rows = reader();
  EventRow row;
  for (const auto& [time, fits] : std::vector<std::pair<std::int64_t, bool>>{
           {0, true}, {-1, false}, {kNow + 86'400'000'000, true}, {kNow + 86'400'000'001, false}}) {
    std::string map = map_of({{"user_id", "u"}, {"item_id", "tea"}});
    map[0] = static_cast<char>(0x83);
    events::Packer packer(map);
    packer.text("event_time");
    packer.whole(time);
    CHECK(rows.read(map, kNow, row) == fits);
  }
}

TEST_CASE("bytes at random do no harm") {
  const EventRows rows = reader();
  std::mt19937 rng(3);
  const std::string sound = map_of({{"user_id", "ann"}, {"item_id", "t\xc3\xa9"}, {"note", "\xf0\x9f\x8d\xb5"}});
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = sound.substr(0, rng() % (sound.size() + 1));
    if (!bytes.empty()) bytes[rng() % bytes.size()] = static_cast<char>(rng());
    EventRow row;
    if (rows.read(bytes, kNow, row)) CHECK(!row.packed.empty());
  }
}

TEST_CASE("fields that everything hangs on have to be there") {
  const KeyedBlake2b hash("key", "user");
  CHECK_THROWS_AS(EventRows({{"event_id", EventRowKind::id, 8}}, {}, "view", {hash, hash, hash}), Error);
}

}  // namespace
