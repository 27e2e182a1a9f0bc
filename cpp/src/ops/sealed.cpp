#include "recocore/sealed.hpp"

#include <unistd.h>

#include <array>
#include <bit>
#include <cstring>

#include "recocore/error.hpp"

namespace recocore {
namespace {

static_assert(std::endian::native == std::endian::little, "files are little-endian");

constexpr std::size_t kIdBytes = 16;
// Of a user's key: number of the master key (4), nonce, wrapped key and tag; and of an entry: slot (4), nonce, record
// and tag.
constexpr std::size_t kSlotBytes = 64;
constexpr std::size_t kNumberBytes = 4;
constexpr std::size_t kSealed = kNumberBytes + Aead::kNonceBytes;
// Of a row: kind (1), slot (4), time (8), subject and event.
constexpr std::size_t kRowHead = 13 + 2 * kIdBytes;
constexpr std::array<std::uint64_t, 3> kPrimes{0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9};

template <typename Number>
void append(std::string& out, Number number) {
  std::array<char, sizeof number> bytes;
  std::memcpy(bytes.data(), &number, sizeof number);
  out.append(bytes.data(), bytes.size());
}

/// Writes a number, or bytes, and returns where they end.
template <typename Number>
char* put(char* at, Number number) {
  std::memcpy(at, &number, sizeof number);
  return at + sizeof number;
}
char* put(char* at, std::string_view bytes) {
  std::memcpy(at, bytes.data(), bytes.size());
  return at + bytes.size();
}

template <typename Number>
Number number_at(std::string_view bytes, std::size_t at) {
  Number number;
  std::memcpy(&number, bytes.data() + at, sizeof number);
  return number;
}

std::uint64_t big_endian(std::string_view bytes) {
  return __builtin_bswap64(number_at<std::uint64_t>(bytes, 0));
}

void check_id(std::string_view id, const char* name) {
  require(id.size() == kIdBytes,
          [&] { return std::string(name) + ": expected 16 bytes, got " + std::to_string(id.size()); });
}

void append_sealed(std::string& out, const Aead& aead, std::string_view nonce, std::string_view plain,
                   std::string_view authenticated) {
  const std::size_t begin = out.size();
  out.resize(begin + plain.size() + Aead::kTagBytes);
  aead.encrypt(nonce, plain, authenticated, out.data() + begin);
}

/// The key in a slot, nullptr where there is none that can be read.
std::unique_ptr<Aead> key_in(std::uint32_t slot, const UserKeyFile& keys) {
  std::array<char, kSlotBytes> data;
  const auto at = static_cast<off_t>(kSlotBytes) * (static_cast<off_t>(slot) + 1);
  if (pread(keys.descriptor, data.data(), data.size(), at) != static_cast<ssize_t>(data.size())) return nullptr;
  const std::string_view wrapped(data.data(), data.size());
  const auto number = number_at<std::uint32_t>(wrapped, 0);
  std::string authenticated(keys.authenticated);
  append(authenticated, slot);
  for (const auto& [known, master] : keys.masters) {
    if (known != number) continue;
    std::array<char, Aead::kKeyBytes> key;
    if (!master->decrypt(wrapped.substr(kNumberBytes, Aead::kNonceBytes), wrapped.substr(kSealed), authenticated,
                         key.data()))
      return nullptr;
    auto aead = std::make_unique<Aead>(std::string_view(key.data(), key.size()));
    volatile char* secret = key.data();
    for (std::size_t i = 0; i < key.size(); ++i) secret[i] = 0;
    return aead;
  }
  return nullptr;
}

}  // namespace

std::size_t row_bytes(std::string_view plain) noexcept {
  return kRowHead + sizeof(std::uint32_t) + Aead::kNonceBytes + plain.size() + Aead::kTagBytes;
}

void seal_row(const RowHead& head, std::string_view plain, std::uint64_t commit, const Aead& aead,
              std::string_view nonce, char* row) {
  check_id(head.subject, "subject");
  check_id(head.event, "event");
  require(nonce.size() == Aead::kNonceBytes,
          [&] { return "nonce: expected 12 bytes, got " + std::to_string(nonce.size()); });
  const auto sealed = static_cast<std::uint32_t>(Aead::kNonceBytes + plain.size() + Aead::kTagBytes);
  std::array<char, kRowHead + sizeof commit> authenticated;
  char* at = authenticated.data();
  at = put(at, head.kind);
  at = put(at, head.slot);
  at = put(at, head.time);
  at = put(at, head.subject);
  at = put(at, head.event);
  put(at, commit);
  row = put(row, std::string_view(authenticated.data(), kRowHead));
  row = put(put(row, sealed), nonce);
  aead.encrypt(nonce, plain, {authenticated.data(), authenticated.size()}, row);
}

std::string seal_entry(std::string_view subject, std::uint32_t slot, std::string_view record, const Aead& aead,
                       std::string_view nonce) {
  check_id(subject, "subject");
  std::string value;
  value.reserve(kSealed + record.size() + Aead::kTagBytes);
  append(value, slot);
  value += nonce;
  append_sealed(value, aead, nonce, record, subject);
  return value;
}

std::uint64_t entry_sum(std::string_view subject, std::string_view value) noexcept {
  const std::uint64_t high = big_endian(subject), low = big_endian(subject.substr(8));
  return ((high * kPrimes[0]) ^ big_endian(value.substr(value.size() - 8))) * kPrimes[1] + low * kPrimes[2];
}

std::optional<OpenedEntry> open_entry(std::string_view subject, std::string_view value, const UserKeyFile& keys) {
  check_id(subject, "subject");
  if (value.size() < kSealed + Aead::kTagBytes) return std::nullopt;
  OpenedEntry opened;
  opened.slot = number_at<std::uint32_t>(value, 0);
  if (opened.slot == UINT32_MAX) return std::nullopt;  // a tombstone
  opened.aead = key_in(opened.slot, keys);
  if (opened.aead == nullptr) return std::nullopt;
  const std::string_view sealed = value.substr(kSealed);
  opened.record.resize(sealed.size() - Aead::kTagBytes);
  if (!opened.aead->decrypt(value.substr(kNumberBytes, Aead::kNonceBytes), sealed, subject, opened.record.data()))
    return std::nullopt;
  opened.added = entry_sum(subject, value);
  return opened;
}

}  // namespace recocore
