#include "recocore/filter.hpp"

#include <doctest/doctest.h>

#include <string>

#include "recocore/error.hpp"

namespace recocore {
namespace {

using Ids = std::vector<std::int32_t>;

constexpr std::int64_t kItems = 6;

/// Owns the arrays of a pattern.
struct Lists {
  std::vector<std::int64_t> indptr;
  Ids indices;

  [[nodiscard]] CsrPattern view(std::int64_t cols = kItems) const {
    return {std::ssize(indptr) - 1, cols, indptr, indices};
  }
};

Ids admitted(RowFilter& filter, std::int64_t query) {
  filter.begin_row(query);
  Ids ids;
  for (std::int32_t id = 0; id < kItems; ++id)
    if (filter.admits(id)) ids.push_back(id);
  return ids;
}

std::string message_of(const CandidateFilter& filter, std::int64_t queries) {
  try {
    validate(filter, queries, kItems);
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::invalid_argument);
    return error.what();
  }
  return "";
}

const Lists kSeen{{0, 2, 2, 3}, {0, 4, 5}};
const Lists kAllowed{{0, 3, 4, 6}, {0, 1, 2, 5, 4, 5}};

TEST_CASE("an empty filter admits everything") {
  const CandidateFilter all;
  CHECK(all.empty());
  RowFilter filter(all, kItems);
  CHECK(admitted(filter, 0) == Ids{0, 1, 2, 3, 4, 5});
}

TEST_CASE("each list leaves out its items and only for its query") {
  const Ids rows{2, 0, 1};
  const Ids block{3, 3};
  CandidateFilter lists;
  lists.exclude = {{kSeen.view(), {}}, {kSeen.view(), rows}};
  lists.block = block;
  validate(lists, 3, kItems);
  RowFilter filter(lists, kItems);
  CHECK(admitted(filter, 0) == Ids{1, 2});        // rows 0 and 2
  CHECK(admitted(filter, 1) == Ids{1, 2, 5});     // rows 1 and 0
  CHECK(admitted(filter, 2) == Ids{0, 1, 2, 4});  // rows 2 and 1
  CHECK(admitted(filter, 0) == Ids{1, 2});
}

TEST_CASE("an item must be in every allow-list") {
  const Ids shared{5, 1, 0};
  CandidateFilter lists;
  lists.allow = RowsOf{kAllowed.view(), {}};
  RowFilter by_row(lists, kItems);
  CHECK(admitted(by_row, 0) == Ids{0, 1, 2});
  CHECK(admitted(by_row, 2) == Ids{4, 5});

  lists.allow_shared = shared;
  RowFilter both(lists, kItems);
  CHECK(admitted(both, 0) == Ids{0, 1});
  CHECK(admitted(both, 1) == Ids{5});
}

TEST_CASE("a block wins over an allow-list") {
  const Ids ids{1, 2};
  const Ids block{2};
  CandidateFilter lists;
  lists.allow_shared = ids;
  lists.block = block;
  lists.exclude = {{kSeen.view(), {}}};
  RowFilter filter(lists, kItems);
  CHECK(admitted(filter, 0) == Ids{1});
  CHECK(admitted(filter, 2) == Ids{1});
}

TEST_CASE("an empty allow-list admits nothing") {
  CandidateFilter lists;
  lists.allow_shared = std::span<const std::int32_t>{};
  CHECK(!lists.empty());
  RowFilter filter(lists, kItems);
  CHECK(admitted(filter, 0).empty());
}

TEST_CASE("lists that do not fit are refused by name") {
  const Ids outside{0, 6};
  const Ids rows{0, 3};
  CHECK(message_of({{}, outside, {}, {}}, 1) == "block: expected item indices in [0, 6), got 6 at position 1");
  CHECK(message_of({{}, {}, {}, outside}, 1) == "allow: expected item indices in [0, 6), got 6 at position 1");
  CHECK(message_of({{{kSeen.view(), {}}}, {}, {}, {}}, 2) ==
        "exclude: expected a row for each of the 2 queries, got 3");
  CHECK(message_of({{{kSeen.view(), rows}}, {}, {}, {}}, 2) ==
        "exclude.rows: expected numbers in [0, 3), got 3 at position 1");
  CHECK(message_of({{}, {}, RowsOf{kSeen.view(7), {}}, {}}, 3) ==
        "allow: expected 6 columns, one for each item, got 7");
  CHECK(message_of({{{kSeen.view(), {}}}, {}, {}, {}}, 3).empty());
}

TEST_CASE("only the rows that queries use are looked at") {
  const Lists broken{{0, 1, 9, 2}, {0, 99}};
  const Ids first{0, 0};
  const Ids second{1};
  CHECK(message_of({{{broken.view(), first}}, {}, {}, {}}, 2).empty());
  CHECK(message_of({{{broken.view(), second}}, {}, {}, {}}, 1) ==
        "exclude.indptr: expected numbers that never fall, got 1 then 9 at row 1");
}

}  // namespace
}  // namespace recocore
