#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace recocore {

/// AES-256-GCM (NIST SP 800-38D, nonces of 12 bytes and tags of 16) by the OpenSSL 3 of the system, which is looked for
/// when it is first needed: nothing is linked, and nothing is needed to build.
///
/// It holds a key and no more: the key's schedule is made for each call, 0.15 us, so that as many keys as there are
/// users can be kept. A call takes 0.5 us and 0.2 us a kilobyte. Threads may share one.
class Aead {
 public:
  static constexpr std::size_t kKeyBytes = 32;
  static constexpr std::size_t kNonceBytes = 12;
  static constexpr std::size_t kTagBytes = 16;

  /// Whether the system has what this needs.
  [[nodiscard]] static bool is_available() noexcept;

  /// A key of 32 bytes.
  ///
  /// Throws Error{invalid_argument} for another length, Error{unsupported} where is_available() is false.
  explicit Aead(std::string_view key);
  Aead(const Aead&) = delete;
  Aead& operator=(const Aead&) = delete;
  ~Aead();

  /// Writes the ciphertext of `plain`, as long as it is, and the tag behind it.
  ///
  /// Throws Error{invalid_argument} for a nonce of another length or more than 2 GiB, Error{internal} where OpenSSL
  /// fails.
  void encrypt(std::string_view nonce, std::string_view plain, std::string_view authenticated, char* sealed) const;

  /// Writes the plain bytes of `sealed`, kTagBytes less; false where these are not what was written.
  ///
  /// Throws as encrypt().
  [[nodiscard]] bool decrypt(std::string_view nonce, std::string_view sealed, std::string_view authenticated,
                             char* plain) const;

 private:
  std::array<unsigned char, kKeyBytes> key_{};
};

}  // namespace recocore
