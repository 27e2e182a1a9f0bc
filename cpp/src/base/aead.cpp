#include "recocore/aead.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <climits>
#include <memory>
#include <string>

#include "recocore/error.hpp"

namespace recocore {
namespace {

// Of <openssl/evp.h>, whose functions OpenSSL 3 promises to keep as they are.
struct EvpCipher;
struct EvpContext;
constexpr int kGetTag = 0x10;  // EVP_CTRL_AEAD_GET_TAG
constexpr int kSetTag = 0x11;  // EVP_CTRL_AEAD_SET_TAG

/// The functions, found once and never let go: contexts of threads that end late need them.
struct Evp {
  using Init = int(EvpContext*, const EvpCipher*, void* engine, const unsigned char* key, const unsigned char* nonce);
  using Update = int(EvpContext*, unsigned char* out, int* size, const unsigned char* in, int in_size);
  using Final = int(EvpContext*, unsigned char* out, int* size);

  EvpCipher* (*fetch)(void* library, const char* name, const char* properties) = nullptr;
  EvpContext* (*make)() = nullptr;
  void (*destroy)(EvpContext*) = nullptr;
  int (*control)(EvpContext*, int type, int size, void* data) = nullptr;
  Init* encrypt_init = nullptr;
  Update* encrypt_update = nullptr;
  Final* encrypt_final = nullptr;
  Init* decrypt_init = nullptr;
  Update* decrypt_update = nullptr;
  Final* decrypt_final = nullptr;
  EvpCipher* cipher = nullptr;

  Evp() noexcept {
    void* library = dlopen("libcrypto.so.3", RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return;
    bool all = true;
    const auto find = [&](auto& function, const char* name) {
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, name));
      all = all && function != nullptr;
    };
    find(fetch, "EVP_CIPHER_fetch");
    find(make, "EVP_CIPHER_CTX_new");
    find(destroy, "EVP_CIPHER_CTX_free");
    find(control, "EVP_CIPHER_CTX_ctrl");
    find(encrypt_init, "EVP_EncryptInit_ex");
    find(encrypt_update, "EVP_EncryptUpdate");
    find(encrypt_final, "EVP_EncryptFinal_ex");
    find(decrypt_init, "EVP_DecryptInit_ex");
    find(decrypt_update, "EVP_DecryptUpdate");
    find(decrypt_final, "EVP_DecryptFinal_ex");
    if (all) cipher = fetch(nullptr, "AES-256-GCM", nullptr);
  }
};

const Evp& evp() noexcept {
  static const Evp found;
  return found;
}

[[noreturn]] void fail() {
  throw Error(ErrorCode::internal, "AES-256-GCM: the system's OpenSSL refuses; see that it has the cipher");
}

void expect(int done) {
  if (done != 1) fail();
}

struct Destroy {
  void operator()(EvpContext* context) const noexcept {
    // There is no context without it.
    if (evp().destroy != nullptr) evp().destroy(context);
  }
};
using Context = std::unique_ptr<EvpContext, Destroy>;

/// This thread's, with the cipher set: one for each direction, since turning one round costs 0.3 us.
EvpContext* context(bool encrypts) {
  thread_local std::array<Context, 2> contexts;
  Context& mine = contexts[encrypts ? 1 : 0];
  if (mine == nullptr) {
    mine.reset(evp().make());
    if (mine == nullptr) fail();
    const auto init = encrypts ? evp().encrypt_init : evp().decrypt_init;
    expect(init(mine.get(), evp().cipher, nullptr, nullptr, nullptr));
  }
  return mine.get();
}

const unsigned char* bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

void check(std::string_view nonce, std::string_view text, std::string_view authenticated) {
  require(nonce.size() == Aead::kNonceBytes,
          [&] { return "nonce: expected 12 bytes, got " + std::to_string(nonce.size()); });
  require(std::max(text.size(), authenticated.size()) <= INT_MAX - Aead::kTagBytes,
          [&] { return "data: expected less than 2 GiB, got " + std::to_string(text.size()) + " bytes"; });
}

}  // namespace

bool Aead::is_available() noexcept {
  return evp().cipher != nullptr;
}

Aead::Aead(std::string_view key) {
  require(key.size() == kKeyBytes, [&] { return "key: expected 32 bytes, got " + std::to_string(key.size()); });
  if (!is_available())
    throw Error(ErrorCode::unsupported, "AES-256-GCM: expected libcrypto.so.3 (OpenSSL 3) on this system, got none");
  std::ranges::copy(key, key_.begin());
}

Aead::~Aead() {
  // Through volatile, so that it is not left out as nobody reads it.
  volatile unsigned char* at = key_.data();
  for (std::size_t i = 0; i < kKeyBytes; ++i) at[i] = 0;
}

void Aead::encrypt(std::string_view nonce, std::string_view plain, std::string_view authenticated, char* sealed) const {
  check(nonce, plain, authenticated);
  EvpContext* const mine = context(true);
  auto* const out = reinterpret_cast<unsigned char*>(sealed);
  int size = 0;
  expect(evp().encrypt_init(mine, nullptr, nullptr, key_.data(), bytes(nonce)));
  if (!authenticated.empty())
    expect(evp().encrypt_update(mine, nullptr, &size, bytes(authenticated), static_cast<int>(authenticated.size())));
  size = 0;
  if (!plain.empty()) expect(evp().encrypt_update(mine, out, &size, bytes(plain), static_cast<int>(plain.size())));
  int rest = 0;
  expect(evp().encrypt_final(mine, out + size, &rest));
  expect(evp().control(mine, kGetTag, kTagBytes, out + plain.size()));
}

bool Aead::decrypt(std::string_view nonce, std::string_view sealed, std::string_view authenticated, char* plain) const {
  check(nonce, sealed, authenticated);
  if (sealed.size() < kTagBytes) return false;
  EvpContext* const mine = context(false);
  auto* const out = reinterpret_cast<unsigned char*>(plain);
  const std::string_view text = sealed.substr(0, sealed.size() - kTagBytes);
  std::array<unsigned char, kTagBytes> tag;  // OpenSSL takes it as writable
  std::ranges::copy(sealed.substr(text.size()), tag.begin());
  int size = 0;
  expect(evp().decrypt_init(mine, nullptr, nullptr, key_.data(), bytes(nonce)));
  if (!authenticated.empty())
    expect(evp().decrypt_update(mine, nullptr, &size, bytes(authenticated), static_cast<int>(authenticated.size())));
  size = 0;
  if (!text.empty()) expect(evp().decrypt_update(mine, out, &size, bytes(text), static_cast<int>(text.size())));
  expect(evp().control(mine, kSetTag, kTagBytes, tag.data()));
  int rest = 0;
  return evp().decrypt_final(mine, out + size, &rest) == 1;
}

}  // namespace recocore
