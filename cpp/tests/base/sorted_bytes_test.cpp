#include "recocore/sorted_bytes.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace {

using recocore::BytesView;

/// Strings with the storage that a view needs.
struct Strings {
  explicit Strings(const std::vector<std::string>& strings) {
    for (const auto& s : strings) {
      data += s;
      offsets.push_back(static_cast<std::int64_t>(data.size()));
    }
  }
  [[nodiscard]] BytesView view() const { return {offsets, data}; }

  std::string data;
  std::vector<std::int64_t> offsets{0};
};

std::vector<std::int32_t> find(const Strings& sorted, const Strings& queries) {
  std::vector<std::int32_t> found(queries.view().size(), 7);
  recocore::find_sorted_bytes(sorted.view(), queries.view(), found);
  return found;
}

}  // namespace

TEST_CASE("find_sorted_bytes finds each string and nothing else") {
  std::vector<std::string> strings = {"",  "a",        std::string("a\0", 2), std::string("a\0b", 3), "ab",
                                      "b", "\xc3\xa9", "\xf0\x9f\x98\x80"};
  REQUIRE(std::is_sorted(strings.begin(), strings.end()));
  const Strings sorted(strings);
  CHECK(find(sorted, sorted) == std::vector<std::int32_t>{0, 1, 2, 3, 4, 5, 6, 7});
  CHECK(find(sorted, Strings({"aa", "\xff", std::string("\0", 1), "b "})) == std::vector<std::int32_t>{-1, -1, -1, -1});
}

TEST_CASE("find_sorted_bytes takes empty sides") {
  CHECK(find(Strings({}), Strings({"a"})) == std::vector<std::int32_t>{-1});
  CHECK(find(Strings({"a"}), Strings({})).empty());
  CHECK(BytesView{}.size() == 0);
}

TEST_CASE("find_sorted_bytes refuses sizes and offsets that do not fit") {
  const Strings strings({"a", "b"});
  std::vector<std::int32_t> short_of_one(1);
  CHECK_THROWS_AS(recocore::find_sorted_bytes(strings.view(), strings.view(), short_of_one), recocore::Error);

  Strings damaged({"a", "b"});
  damaged.offsets[1] = 99;
  std::vector<std::int32_t> found(2);
  try {
    recocore::find_sorted_bytes(damaged.view(), strings.view(), found);
    FAIL("expected an error");
  } catch (const recocore::Error& error) {
    CHECK(error.code() == recocore::ErrorCode::corrupt);
  }
}
