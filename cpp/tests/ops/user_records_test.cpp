#include "recocore/user_records.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "ops/events/message_pack.hpp"
#include "recocore/error.hpp"

namespace {

using namespace recocore;

/// Rows of three fields: time, type and item; places beyond them are of fields that these rows lack.
constexpr RecordedPlaces kPlaces{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 63};

UserRecords records(std::size_t recent, std::size_t seen, std::size_t profile_bytes = 0) {
  return {{recent, seen, profile_bytes, {{"buy", 5.0}}, {"buy"}, "profiling"}, kPlaces};
}

std::string row(std::string_view item, std::string_view type, std::int64_t time) {
  std::string packed;
  events::Packer packer(packed);
  packer.array_head(3);
  packer.whole(time);
  packer.text(type);
  packer.text(item);
  return packed;
}

TEST_CASE("one by one and together are the same, and the newest stay") {
  std::mt19937 rng(1);
  const std::vector<std::string> items{"a", "b", "c", "d"};
  std::vector<std::int64_t> times;
  std::vector<std::string> rows;
  for (int i = 0; i < 200; ++i) {
    times.push_back(static_cast<std::int64_t>(rng() % 50));
    rows.push_back(row(items[rng() % items.size()], rng() % 2 == 0 ? "buy" : "view", times.back()));
  }
  const std::vector<std::string_view> views(rows.begin(), rows.end());
  for (const std::size_t profile_bytes : {0U, 100U}) {
    const UserRecords few = records(5, 2, profile_bytes);
    std::string one_by_one;
    for (const std::string_view& view : views) one_by_one = few.add(one_by_one, 9, {&view, 1});
    CHECK(one_by_one == few.add("", 9, views));

    // In no order of arrival are more than five kept, and these are the last by time.
    std::vector<std::int64_t> sorted = times;
    std::ranges::sort(sorted);
    std::string newest;
    for (const std::int64_t time : std::vector<std::int64_t>(sorted.end() - 5, sorted.end()))
      newest += std::string(reinterpret_cast<const char*>(&time), sizeof time);
    CHECK(one_by_one.find(newest) != std::string::npos);
  }
}

TEST_CASE("what stands behind is kept") {
  const std::string tea = row("tea", "view", 1);
  const std::string_view view = tea;
  std::string record = records(5, 5).add("", 1, {});
  record[0] = static_cast<char>(0x9a);
  record += "\xc4\x04kept\xa4more";
  const std::string added = records(5, 5).add(record, 2, {&view, 1});
  CHECK(added.ends_with("\x80\xc4\x04kept\xa4more"));
  CHECK(added[0] == static_cast<char>(0x9a));
}

TEST_CASE("nothing is kept for profiles of who refuses it") {
  const std::string tea = row("tea", "view", 1);
  const std::string_view view = tea;
  const UserRecords some = records(5, 5, 100);
  std::string record = some.add("", 1, {});
  REQUIRE(record.ends_with("\x80"));
  record.back() = static_cast<char>(0x81);
  const std::string refused = record + "\xa9profiling\xc2", granted = record + "\xa9profiling\xc3";
  CHECK(some.add(refused, 2, {&view, 1}).ends_with("\xa9profiling\xc2"));
  CHECK(!some.add(granted, 2, {&view, 1}).ends_with("\xa9profiling\xc3"));
  CHECK(some.add(granted, 2, {&view, 1})[0] == static_cast<char>(0x99));
}

TEST_CASE("other bytes are refused") {
  const UserRecords some = records(5, 5, 100);
  const std::string tea = row("tea", "buy", 1);
  const std::string_view view = tea;
  const std::string sound = some.add("", 1, {&view, 1});
  for (std::size_t end = 1; end < sound.size(); ++end) CHECK_THROWS_AS(some.add(sound.substr(0, end), 2, {}), Error);
  CHECK_THROWS_AS(some.add("\xc0", 2, {}), Error);
  for (std::size_t end = 0; end < tea.size(); ++end) {
    const std::string_view cut = view.substr(0, end);
    CHECK_THROWS_AS(some.add(sound, 2, {&cut, 1}), Error);
  }
  CHECK_THROWS_AS(records(0, 5), Error);
  RecordedPlaces far = kPlaces;
  far.tags = 64;
  CHECK_THROWS_AS(UserRecords({}, far), Error);
}

}  // namespace
