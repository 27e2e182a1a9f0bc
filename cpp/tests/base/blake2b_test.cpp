#include "recocore/blake2b.hpp"

#include <doctest/doctest.h>

#include <cstdio>
#include <string>

#include "recocore/error.hpp"

namespace {

using recocore::KeyedBlake2b;

std::string hex(const KeyedBlake2b::Digest& digest) {
  std::string text;
  for (const std::uint8_t byte : digest) {
    char two[3];
    std::snprintf(two, sizeof two, "%02x", byte);
    text += two;
  }
  return text;
}

TEST_CASE("digests are those of hashlib.blake2b(..., key=, digest_size=16, person=)") {
  std::string key;
  for (int i = 0; i < 32; ++i) key.push_back(static_cast<char>(i));
  const KeyedBlake2b users(key, "user");
  CHECK(hex(users.digest(std::string(0, 'a'))) == "892c46dfe36df4085afed87d712bdaae");
  CHECK(hex(users.digest(std::string(3, 'a'))) == "34ffb56cc3c0524fa60ca77ebd47f453");
  CHECK(hex(users.digest(std::string(127, 'a'))) == "274f912e703fb4d66d3b174bd75d56cd");
  CHECK(hex(users.digest(std::string(128, 'a'))) == "7e0f65e7eed4888248535614784f26de");
  CHECK(hex(users.digest(std::string(129, 'a'))) == "5a4d7df9f7ef459fa9bfe440b8b8d8bc");
  CHECK(hex(users.digest(std::string(256, 'a'))) == "48f4fa85c239f1528362150a579ce901");
  CHECK(hex(users.digest(std::string(300, 'a'))) == "b0e1b8155a23e8b1fb4894ce4bde4df1");
  CHECK(hex(KeyedBlake2b("k", "visitor").digest("ann")) == "bf72d6ede2122d69ddd0b98041646dc7");
}

TEST_CASE("keys and persons have lengths") {
  CHECK_THROWS_AS(KeyedBlake2b("", "user"), recocore::Error);
  CHECK_THROWS_AS(KeyedBlake2b(std::string(65, 'k'), "user"), recocore::Error);
  CHECK_THROWS_AS(KeyedBlake2b("k", std::string(17, 'p')), recocore::Error);
}

}  // namespace
