#include "recocore/aead.hpp"

#include <doctest/doctest.h>

#include <string>
#include <thread>
#include <vector>

#include "recocore/error.hpp"

namespace {

using namespace recocore;

std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2)
    bytes.push_back(static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  return bytes;
}

std::string sealed_by(const Aead& aead, std::string_view nonce, std::string_view plain, std::string_view with) {
  std::string sealed(plain.size() + Aead::kTagBytes, '\0');
  aead.encrypt(nonce, plain, with, sealed.data());
  return sealed;
}

// Test case 16 of McGrew and Viega, "The Galois/Counter Mode of Operation".
const std::string kKey = from_hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
const std::string kNonce = from_hex("cafebabefacedbaddecaf888");
const std::string kPlain = from_hex(
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39");
const std::string kWith = from_hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
const std::string kSealed = from_hex(
    "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
    "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
    "76fc6ece0f4e1768cddf8853bb2d551b");

TEST_CASE("it is AES-256-GCM") {
  if (!Aead::is_available()) return;
  const Aead aead(kKey);
  CHECK(sealed_by(aead, kNonce, kPlain, kWith) == kSealed);
  std::string plain(kPlain.size(), '\0');
  CHECK(aead.decrypt(kNonce, kSealed, kWith, plain.data()));
  CHECK(plain == kPlain);
  // Test case 13: nothing at all.
  CHECK(sealed_by(Aead(std::string(32, '\0')), std::string(12, '\0'), "", "") ==
        from_hex("530f8afbc74536b9a963b4f1c4cb738b"));
}

TEST_CASE("what was changed is refused") {
  if (!Aead::is_available()) return;
  const Aead aead(kKey);
  std::string plain(kPlain.size(), '\0');
  for (std::size_t at = 0; at < kSealed.size(); ++at) {
    std::string changed = kSealed;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    CHECK(!aead.decrypt(kNonce, changed, kWith, plain.data()));
  }
  CHECK(!aead.decrypt(kNonce, kSealed, kWith.substr(1), plain.data()));
  CHECK(!aead.decrypt(std::string(12, 'n'), kSealed, kWith, plain.data()));
  CHECK(!Aead(std::string(32, 'k')).decrypt(kNonce, kSealed, kWith, plain.data()));
  CHECK(!aead.decrypt(kNonce, kSealed.substr(0, 15), kWith, plain.data()));
  // And the thread's context is as before.
  CHECK(aead.decrypt(kNonce, kSealed, kWith, plain.data()));
}

TEST_CASE("threads share one") {
  if (!Aead::is_available()) return;
  const Aead aead(kKey);
  std::vector<int> sound(4);
  std::vector<std::thread> threads;
  for (int& mine : sound)
    threads.emplace_back([&] {
      for (int i = 0; i < 100; ++i) mine += sealed_by(aead, kNonce, kPlain, kWith) == kSealed ? 1 : 0;
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(sound == std::vector<int>(4, 100));
}

TEST_CASE("other lengths are refused") {
  if (!Aead::is_available()) return;
  CHECK_THROWS_AS(Aead(std::string(16, 'k')), Error);
  CHECK_THROWS_AS(sealed_by(Aead(kKey), "short", "", ""), Error);
}

}  // namespace
