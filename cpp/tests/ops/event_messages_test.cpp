#include "recocore/event_messages.hpp"

#include <doctest/doctest.h>

#include <random>
#include <string>

#include "ops/events/message_pack.hpp"
#include "recocore/error.hpp"

namespace {

using namespace recocore;

constexpr std::int64_t kNow = 1'750'000'000'000'000;

EventMessages reader() {
  using Kind = EventMessageKind;
  return {{{1, "event_id", Kind::text, 0, 8, true},
           {2, "type", Kind::type, 0, 8, true},
           {3, "item_id", Kind::text, 0, 8, false},
           {4, "event_time", Kind::time, 0, 0, false},
           {5, "quantity", Kind::whole, -5, 5, false},
           {6, "price", Kind::number, 0, 0, false},
           {8, "token", Kind::token, 0, 9, false},
           {9, "arm", Kind::text, 0, 9, false}},
          {7},
          3,
          9,
          {"visit"}};
}

std::string field(int number, const std::string& bytes) {
  return std::string{static_cast<char>(number << 3 | 2), static_cast<char>(bytes.size())} + bytes;
}

std::string event(const std::string& more = "") {
  return field(1, "e1") + field(2, "view") + field(3, "tea") + more;
}

std::size_t sound(const std::string& one) {
  const auto found = reader().read(field(1, one), kNow, 10);
  REQUIRE(found);
  REQUIRE(found->rows.size() == 1);
  return found->rows[0].size();
}

TEST_CASE("a sound event becomes a map by name") {
  const auto found = reader().read(field(1, event()) + std::string("\x10\x02", 2), kNow, 10);
  REQUIRE(found);
  CHECK(found->durability == 2);
  std::string expected("\xde\x00\x04", 3);
  events::Packer packer(expected);
  for (const char* text : {"event_id", "e1", "type", "view", "item_id", "tea", "event_time"}) packer.text(text);
  packer.whole(kNow);
  CHECK(found->rows[0] == expected);
}

TEST_CASE("whatever may be wrong is left") {
  CHECK(sound(event()) > 0);
  CHECK(sound(field(1, "e1") + field(2, "visit")) > 0);
  CHECK(sound(event(std::string("\x28\x05", 2))) > 0);                                     // quantity 5
  CHECK(sound(event(std::string("\x98\x06\x07", 3))) > 0);                                 // field 99 is dropped
  CHECK(sound(event(std::string("\x28\x06", 2))) == 0);                                    // quantity 6
  CHECK(sound(event(field(7, "mine"))) == 0);                                              // left to the caller
  CHECK(sound(event(field(3, "pot"))) == 0);                                               // twice
  CHECK(sound(field(1, "e1") + field(2, "view")) == 0);                                    // without an item
  CHECK(sound(field(1, "e1") + field(2, "View") + field(3, "tea")) == 0);                  // no such type
  CHECK(sound(field(1, "123456789") + field(2, "visit")) == 0);                            // too long
  CHECK(sound(event(field(4, std::string("\x08\x01\x10\x80\x94\xeb\xdc\x03", 8)))) == 0);  // 10^9 nanoseconds
  CHECK(sound(event(std::string("\x31\0\0\0\0\0\0\xf0\x7f", 9))) == 0);                    // infinite
  CHECK(sound(event(std::string("\x0b", 1))) == 0);                                        // a group
  CHECK(!reader().read("\x0a\x7f", kNow, 10));
  CHECK(!reader().read(field(1, event()) + field(1, event()), kNow, 1));
}

TEST_CASE("of tokens is told, but for those of events that are left") {
  const std::string armed = event(field(8, "t1") + field(9, "a")), bare = event(field(8, "t2"));
  const std::string request =
      field(1, armed) + field(1, event()) + field(1, event(field(8, "t3") + field(7, "x"))) + field(1, bare);
  const auto found = reader().read(request, kNow, 10);
  REQUIRE(found);
  REQUIRE(found->tokens.size() == 2);
  CHECK(found->tokens[0].row == 0);
  CHECK(found->tokens[0].text == "t1");
  CHECK(found->tokens[0].has_arm);
  CHECK(found->tokens[1].row == 3);
  CHECK(!found->tokens[1].has_arm);
}

TEST_CASE("bytes at random do no harm") {
  const EventMessages messages = reader();
  std::mt19937 rng(5);
  const std::string whole = field(1, event(std::string("\x28\x05", 2))) + field(1, event());
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = whole.substr(0, rng() % (whole.size() + 1));
    if (!bytes.empty()) bytes[rng() % bytes.size()] = static_cast<char>(rng());
    if (const auto found = messages.read(bytes, kNow, 10)) CHECK(found->rows.size() <= 10);
  }
}

TEST_CASE("numbers of fields are below 64") {
  CHECK_THROWS_AS(EventMessages({{64, "a", EventMessageKind::text, 0, 1, false}}, {}, 3, 9, {}), Error);
}

}  // namespace
