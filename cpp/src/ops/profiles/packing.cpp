// Packed bits, shifts and masks of small non-negative numbers: their operands are signed throughout.
// NOLINTBEGIN(bugprone-signed-bitwise)

#include "ops/profiles/packing.hpp"

#include <array>
#include <cstddef>

#include "recocore/error.hpp"

namespace recocore::cpu {
namespace {

// The bits of an event's first three bytes; a dimension's is kDimension shifted by it.
enum Bit : std::uint32_t {
  kKnown = 1U << 0,
  kId = 1U << 1,
  kItem = 1U << 2,
  kSession = 1U << 3,
  kSameSession = 1U << 4,
  kOrder = 1U << 5,
  kSameOrder = 1U << 6,
  kMoney = 1U << 7,
  kPrice = 1U << 8,
  kPriceIsMoney = 1U << 9,
  kDwell = 1U << 10,
  kQuantity = 1U << 11,
  kQuery = 1U << 12,
  kPath = 1U << 13,
  kCoupon = 1U << 14,
  kDimension = 1U << 16,
};

/// The bytes of one event on the way to its user's.
class Bytes {
 public:
  void put(std::uint8_t byte) { bytes_[size_++] = byte; }
  void number(std::uint64_t number) {
    for (; number >= 128; number >>= 7) put(static_cast<std::uint8_t>(number | 128));
    put(static_cast<std::uint8_t>(number));
  }
  /// Small numbers of either sign become small numbers.
  void signed_number(std::int64_t value) {
    number(static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63));
  }
  void hash(std::uint64_t hash) {
    for (int i = 0; i < 8; ++i) put(static_cast<std::uint8_t>(hash >> (8 * i)));
  }
  [[nodiscard]] std::span<const std::uint8_t> all() const { return {bytes_.data(), size_}; }

 private:
  // 4 bytes, 4 hashes, and at most 12 numbers of at most 10 bytes.
  std::array<std::uint8_t, 160> bytes_;
  std::size_t size_ = 0;
};

std::uint64_t as_code(std::int32_t code) {
  return static_cast<std::uint64_t>(code);
}

std::int64_t difference(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}

std::int64_t sum(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

std::uint32_t bits_of(const ProfileEvent& event, const PackedBefore& before) {
  std::uint32_t bits = 0;
  const auto set = [&bits](bool present, std::uint32_t bit) { bits |= present ? bit : 0; };
  set(event.known != event.time, kKnown);
  set(event.id != 0, kId);
  set(event.item != 0, kItem);
  set(event.session != 0, event.session == before.session ? kSameSession : kSession);
  set(event.order != 0, event.order == before.order ? kSameOrder : kOrder);
  set(event.money != kNone, kMoney);
  set(event.price != kNone, event.price == event.money ? kPriceIsMoney : kPrice);
  set(event.dwell >= 0, kDwell);
  set(event.has_quantity, kQuantity);
  set(event.query >= 0, kQuery);
  set(event.path >= 0, kPath);
  set(event.coupon, kCoupon);
  for (std::size_t d = 0; d < kMaxDimensions; ++d) set(event.dimensions[d] >= 0, kDimension << d);
  return bits;
}

}  // namespace

void pack(const ProfileEvent& event, PackedBefore& before, std::vector<std::uint8_t>& out) {
  const std::uint32_t bits = bits_of(event, before);
  Bytes bytes;
  for (int i = 0; i < 3; ++i) bytes.put(static_cast<std::uint8_t>(bits >> (8 * i)));
  bytes.put(event.type);
  bytes.signed_number(difference(event.time, before.time));
  if ((bits & kKnown) != 0) bytes.signed_number(difference(event.known, event.time));
  if ((bits & kId) != 0) bytes.hash(event.id);
  if ((bits & kItem) != 0) bytes.hash(event.item);
  if ((bits & kSession) != 0) bytes.hash(event.session);
  if ((bits & kOrder) != 0) bytes.hash(event.order);
  if ((bits & kMoney) != 0) bytes.signed_number(event.money);
  if ((bits & kPrice) != 0) bytes.signed_number(event.price);
  if ((bits & kDwell) != 0) bytes.number(as_code(event.dwell));
  if ((bits & kQuantity) != 0) bytes.signed_number(event.quantity);
  if ((bits & kQuery) != 0) bytes.number(as_code(event.query));
  if ((bits & kPath) != 0) bytes.number(as_code(event.path));
  for (std::size_t d = 0; d < kMaxDimensions; ++d)
    if ((bits & kDimension << d) != 0) bytes.number(as_code(event.dimensions[d]));
  out.insert(out.end(), bytes.all().begin(), bytes.all().end());
  before.time = event.time;
  if (event.session != 0) before.session = event.session;
  if (event.order != 0) before.order = event.order;
}

std::uint8_t Unpacker::byte() {
  if (left_.empty()) throw Error(ErrorCode::corrupt, "packed events: expected more bytes, got the end");
  const std::uint8_t first = left_.front();
  left_ = left_.subspan(1);
  return first;
}

std::uint64_t Unpacker::number() {
  std::uint64_t number = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const std::uint8_t next = byte();
    number |= static_cast<std::uint64_t>(next & 127) << shift;
    if (next < 128) return number;
  }
  throw Error(ErrorCode::corrupt, "packed events: expected numbers of 64 bits, got a longer one");
}

std::int64_t Unpacker::signed_number() {
  const std::uint64_t coded = number();
  return static_cast<std::int64_t>(coded >> 1 ^ (~(coded & 1) + 1));
}

std::uint64_t Unpacker::hash() {
  std::uint64_t hash = 0;
  for (int i = 0; i < 8; ++i) hash |= static_cast<std::uint64_t>(byte()) << (8 * i);
  return hash;
}

void Unpacker::next(ProfileEvent& event) {
  std::uint32_t bits = 0;
  for (int i = 0; i < 3; ++i) bits |= static_cast<std::uint32_t>(byte()) << (8 * i);
  const auto has = [bits](std::uint32_t bit) { return (bits & bit) != 0; };
  const auto code = [this] { return static_cast<std::int32_t>(number()); };
  event = {};
  event.type = byte();
  event.time = sum(before_.time, signed_number());
  event.known = has(kKnown) ? sum(event.time, signed_number()) : event.time;
  if (has(kId)) event.id = hash();
  if (has(kItem)) event.item = hash();
  event.session = has(kSession) ? hash() : has(kSameSession) ? before_.session : 0;
  event.order = has(kOrder) ? hash() : has(kSameOrder) ? before_.order : 0;
  if (has(kMoney)) event.money = signed_number();
  if (has(kPrice)) event.price = signed_number();
  if (has(kPriceIsMoney)) event.price = event.money;
  if (has(kDwell)) event.dwell = code();
  event.has_quantity = has(kQuantity);
  if (has(kQuantity)) event.quantity = static_cast<std::int32_t>(signed_number());
  if (has(kQuery)) event.query = code();
  if (has(kPath)) event.path = code();
  event.coupon = has(kCoupon);
  for (std::size_t d = 0; d < kMaxDimensions; ++d)
    if (has(kDimension << d)) event.dimensions[d] = code();
  before_.time = event.time;
  if (event.session != 0) before_.session = event.session;
  if (event.order != 0) before_.order = event.order;
}

}  // namespace recocore::cpu
// NOLINTEND(bugprone-signed-bitwise)
