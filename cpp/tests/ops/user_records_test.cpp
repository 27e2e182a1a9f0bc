#include "recocore/user_records.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "recocore/error.hpp"

namespace {

using namespace recocore;

UserRecords records(std::int64_t recent, std::int64_t seen) {
  return {recent, seen, {{"buy", 5.0}}, {"buy"}};
}

TEST_CASE("one by one and together are the same, and the newest stay") {
  std::mt19937 rng(1);
  const std::vector<std::string> items{"a", "b", "c", "d"};
  std::vector<RecordedEvent> events;
  for (int i = 0; i < 200; ++i)
    events.push_back(
        {items[rng() % items.size()], rng() % 2 == 0 ? "buy" : "view", static_cast<std::int64_t>(rng() % 50)});
  const UserRecords few = records(5, 2);
  std::string one_by_one;
  for (const RecordedEvent& event : events) one_by_one = few.add(one_by_one, 9, {&event, 1});
  CHECK(one_by_one == few.add("", 9, events));

  // In no order of arrival are more than five kept, and these are the last by time.
  std::vector<std::int64_t> times;
  for (const RecordedEvent& event : events) times.push_back(event.time);
  std::ranges::sort(times);
  std::string newest;
  for (const std::int64_t time : std::vector<std::int64_t>(times.end() - 5, times.end())) {
    newest += std::string(reinterpret_cast<const char*>(&time), sizeof time);
  }
  CHECK(one_by_one.find(newest) != std::string::npos);
}

TEST_CASE("what stands behind is kept") {
  const UserRecords some = records(5, 5);
  const RecordedEvent tea{"tea", "view", 1};
  std::string record = some.add("", 1, {});
  record[0] = static_cast<char>(0x99);
  record += "\xa4more";
  const std::string added = some.add(record, 2, {&tea, 1});
  CHECK(added.ends_with("\x80\xa4more"));
  CHECK(added[0] == static_cast<char>(0x99));
}

TEST_CASE("other bytes are refused") {
  const UserRecords some = records(5, 5);
  const RecordedEvent tea{"tea", "buy", 1};
  const std::string sound = some.add("", 1, {&tea, 1});
  for (std::size_t end = 1; end < sound.size(); ++end) CHECK_THROWS_AS(some.add(sound.substr(0, end), 2, {}), Error);
  CHECK_THROWS_AS(some.add("\xc0", 2, {}), Error);
  CHECK_THROWS_AS(records(0, 5), Error);
}

}  // namespace
