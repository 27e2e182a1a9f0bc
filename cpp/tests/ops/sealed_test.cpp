#include "recocore/sealed.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "recocore/error.hpp"

namespace {

using namespace recocore;

const std::string kSubject = "0123456789abcdef", kEvent = "fedcba9876543210", kNonce = "nonce of 12 ";

std::string number(std::uint32_t value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

/// A file with the key of slot 1, wrapped by master key 7.
class Keys {
 public:
  Keys() {
    std::string slot = number(7) + kNonce + std::string(48, '\0');
    master.encrypt(kNonce, key, "state" + number(1), slot.data() + 16);
    const std::string content = std::string(128, '\0') + slot;
    REQUIRE(write(fileno(file_), content.data(), content.size()) == static_cast<ssize_t>(content.size()));
  }
  Keys(const Keys&) = delete;
  Keys& operator=(const Keys&) = delete;
  ~Keys() { (void)std::fclose(file_); }
  [[nodiscard]] UserKeyFile file() const { return {fileno(file_), "state", masters}; }

  std::string key = std::string(32, 'k');
  Aead master = Aead(std::string(32, 'm'));
  std::vector<std::pair<std::uint32_t, const Aead*>> masters{{3, &master}, {7, &master}};

 private:
  std::FILE* file_ = std::tmpfile();
};

std::string row_of(const RowHead& head, std::string_view plain, std::uint64_t commit, const Aead& aead,
                   std::string_view nonce) {
  std::string row(row_bytes(plain), '\0');
  seal_row(head, plain, commit, aead, nonce, row.data());
  return row;
}

TEST_CASE("an entry is opened with the user's key, and with nothing else") {
  if (!Aead::is_available()) return;
  Keys keys;
  const std::string value = seal_entry(kSubject, 1, "a record", Aead(keys.key), kNonce);
  const auto opened = open_entry(kSubject, value, keys.file());
  REQUIRE(opened.has_value());
  CHECK(opened->record == "a record");
  CHECK(opened->slot == 1);
  CHECK(opened->added == entry_sum(kSubject, value));
  CHECK(seal_entry(kSubject, 1, "more", *opened->aead, kNonce) ==
        seal_entry(kSubject, 1, "more", Aead(keys.key), kNonce));

  for (std::size_t at = 0; at < value.size(); ++at) {
    std::string changed = value;
    changed[at] = static_cast<char>(changed[at] ^ 4);
    CHECK(!open_entry(kSubject, changed, keys.file()));
    CHECK(!open_entry(kSubject, value.substr(0, at), keys.file()));
  }
  CHECK(!open_entry(kEvent, value, keys.file()));
  CHECK(!open_entry(kSubject, number(UINT32_MAX) + value.substr(4), keys.file()));  // a tombstone
  // Slots that are destroyed, or not there.
  CHECK(!open_entry(kSubject, seal_entry(kSubject, 0, "a record", Aead(keys.key), kNonce), keys.file()));
  CHECK(!open_entry(kSubject, seal_entry(kSubject, 9, "a record", Aead(keys.key), kNonce), keys.file()));
  keys.masters.pop_back();
  CHECK(!open_entry(kSubject, value, keys.file()));
}

TEST_CASE("a row has its head in the clear and is authenticated as a whole") {
  if (!Aead::is_available()) return;
  const Aead aead(std::string(32, 'k'));
  const std::string row = row_of({1, 5, -2, kSubject, kEvent}, "an event", 9, aead, kNonce);
  const std::string head = "\x01" + number(5) + "\xfe" + std::string(7, '\xff') + kSubject + kEvent;
  REQUIRE(row.starts_with(head + number(12 + 8 + 16) + kNonce));
  std::string plain(8, '\0');
  CHECK(aead.decrypt(kNonce, row.substr(head.size() + 16), head + "\x09" + std::string(7, '\0'), plain.data()));
  CHECK(plain == "an event");
  CHECK(!aead.decrypt(kNonce, row.substr(head.size() + 16), head + "\x08" + std::string(7, '\0'), plain.data()));
}

TEST_CASE("other lengths are refused") {
  if (!Aead::is_available()) return;
  const Aead aead(std::string(32, 'k'));
  CHECK_THROWS_AS((void)row_of({1, 5, 2, "short", kEvent}, "", 9, aead, kNonce), Error);
  CHECK_THROWS_AS((void)row_of({1, 5, 2, kSubject, "short"}, "", 9, aead, kNonce), Error);
  CHECK_THROWS_AS((void)row_of({1, 5, 2, kSubject, kEvent}, "", 9, aead, "short"), Error);
  CHECK_THROWS_AS((void)seal_entry("short", 5, "", aead, kNonce), Error);
}

}  // namespace
