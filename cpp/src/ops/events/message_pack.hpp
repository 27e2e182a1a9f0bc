// MessagePack (https://github.com/msgpack/msgpack/blob/master/spec.md), as much of it as events and records need.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace recocore::events {

/// Appends values, each in its shortest form, as msgspec does.
class Packer {
 public:
  explicit Packer(std::string& out) : out_(out) {}

  void nil() { out_.push_back('\xc0'); }

  void whole(std::int64_t value) {
    if (value >= 0) return unsigned_whole(static_cast<std::uint64_t>(value));
    const auto bits = static_cast<std::uint64_t>(value);
    if (value >= -32) return byte(static_cast<std::uint8_t>(bits));
    if (value >= INT8_MIN) return big<std::uint8_t>(0xd0, bits);
    if (value >= INT16_MIN) return big<std::uint16_t>(0xd1, bits);
    if (value >= INT32_MIN) return big<std::uint32_t>(0xd2, bits);
    big<std::uint64_t>(0xd3, bits);
  }

  void unsigned_whole(std::uint64_t value) {
    if (value < 128) return byte(static_cast<std::uint8_t>(value));
    if (value <= UINT8_MAX) return big<std::uint8_t>(0xcc, value);
    if (value <= UINT16_MAX) return big<std::uint16_t>(0xcd, value);
    if (value <= UINT32_MAX) return big<std::uint32_t>(0xce, value);
    big<std::uint64_t>(0xcf, value);
  }

  void number(double value) { big<std::uint64_t>(0xcb, std::bit_cast<std::uint64_t>(value)); }

  void text(std::string_view value) {
    text_head(value.size());
    out_.append(value);
  }

  void bytes(std::string_view value) {
    bytes_head(value.size());
    out_.append(value);
  }

  void array_head(std::size_t size) {
    if (size < 16) return byte(static_cast<std::uint8_t>(0x90U | size));
    big<std::uint16_t>(0xdc, size);
  }

 private:
  void text_head(std::size_t size) {
    if (size < 32) return byte(static_cast<std::uint8_t>(0xa0U | size));
    if (size <= UINT8_MAX) return big<std::uint8_t>(0xd9, size);
    if (size <= UINT16_MAX) return big<std::uint16_t>(0xda, size);
    big<std::uint32_t>(0xdb, size);
  }

  void bytes_head(std::size_t size) {
    if (size <= UINT8_MAX) return big<std::uint8_t>(0xc4, size);
    if (size <= UINT16_MAX) return big<std::uint16_t>(0xc5, size);
    big<std::uint32_t>(0xc6, size);
  }

  void byte(std::uint8_t value) { out_.push_back(static_cast<char>(value)); }

  template <typename Word>
  void big(std::uint8_t mark, std::uint64_t value) {
    byte(mark);
    for (std::size_t shift = 8 * sizeof(Word); shift != 0; shift -= 8)
      byte(static_cast<std::uint8_t>(value >> (shift - 8)));
  }

  std::string& out_;
};

enum class PackedKind : std::uint8_t { nil, boolean, whole, unsigned_whole, number, text, bytes, array, map, other };

/// A value as it was read: `number` of a float64, `bits` of whole numbers (and the count of an array or map), `view` of
/// a text or bytes.
struct PackedValue {
  PackedKind kind = PackedKind::nil;
  std::uint64_t bits = 0;
  double number = 0;
  std::string_view view;
};

/// Reads values from bytes of which nothing is known.
class Unpacker {
 public:
  explicit Unpacker(std::string_view bytes) : bytes_(bytes) {}

  [[nodiscard]] bool done() const noexcept { return at_ == bytes_.size(); }
  [[nodiscard]] std::size_t at() const noexcept { return at_; }

  /// The next value, of an array or map the head alone; false where there is none. A float32 is `other`.
  [[nodiscard]] bool next(PackedValue& value) noexcept {
    std::uint64_t head = 0;
    if (!big<std::uint8_t>(head)) return false;
    value = {};
    if (head < 0x80) return whole(value, PackedKind::unsigned_whole, head);
    if (head < 0x90) return whole(value, PackedKind::map, head & 0x0fU);
    if (head < 0xa0) return whole(value, PackedKind::array, head & 0x0fU);
    if (head < 0xc0) return view(value, PackedKind::text, head & 0x1fU);
    if (head >= 0xe0) return whole(value, PackedKind::whole, head | 0xffffffffffffff00U);
    std::uint64_t bits = 0;
    switch (head) {
      case 0xc0: return true;
      case 0xc2:
      case 0xc3: return whole(value, PackedKind::boolean, head & 1U);
      case 0xc4: return big<std::uint8_t>(bits) && view(value, PackedKind::bytes, bits);
      case 0xc5: return big<std::uint16_t>(bits) && view(value, PackedKind::bytes, bits);
      case 0xc6: return big<std::uint32_t>(bits) && view(value, PackedKind::bytes, bits);
      case 0xcb:
        if (!big<std::uint64_t>(bits)) return false;
        value.kind = PackedKind::number;
        value.number = std::bit_cast<double>(bits);
        return true;
      case 0xcc: return big<std::uint8_t>(bits) && whole(value, PackedKind::unsigned_whole, bits);
      case 0xcd: return big<std::uint16_t>(bits) && whole(value, PackedKind::unsigned_whole, bits);
      case 0xce: return big<std::uint32_t>(bits) && whole(value, PackedKind::unsigned_whole, bits);
      case 0xcf: return big<std::uint64_t>(bits) && whole(value, PackedKind::unsigned_whole, bits);
      case 0xd0: return big<std::uint8_t>(bits) && whole(value, PackedKind::whole, extended<std::int8_t>(bits));
      case 0xd1: return big<std::uint16_t>(bits) && whole(value, PackedKind::whole, extended<std::int16_t>(bits));
      case 0xd2: return big<std::uint32_t>(bits) && whole(value, PackedKind::whole, extended<std::int32_t>(bits));
      case 0xd3: return big<std::uint64_t>(bits) && whole(value, PackedKind::whole, bits);
      case 0xd9: return big<std::uint8_t>(bits) && view(value, PackedKind::text, bits);
      case 0xda: return big<std::uint16_t>(bits) && view(value, PackedKind::text, bits);
      case 0xdb: return big<std::uint32_t>(bits) && view(value, PackedKind::text, bits);
      case 0xdc: return big<std::uint16_t>(bits) && whole(value, PackedKind::array, bits);
      case 0xde: return big<std::uint16_t>(bits) && whole(value, PackedKind::map, bits);
      default: value.kind = PackedKind::other; return true;
    }
  }

 private:
  template <typename Word>
  [[nodiscard]] bool big(std::uint64_t& value) noexcept {
    if (bytes_.size() - at_ < sizeof(Word)) return false;
    value = 0;
    for (std::size_t i = 0; i < sizeof(Word); ++i) value = value << 8U | static_cast<std::uint8_t>(bytes_[at_ + i]);
    at_ += sizeof(Word);
    return true;
  }

  template <typename Word>
  [[nodiscard]] static std::uint64_t extended(std::uint64_t bits) noexcept {
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(static_cast<Word>(bits)));
  }

  static bool whole(PackedValue& value, PackedKind kind, std::uint64_t bits) noexcept {
    value.kind = kind;
    value.bits = bits;
    return true;
  }

  [[nodiscard]] bool view(PackedValue& value, PackedKind kind, std::uint64_t size) noexcept {
    if (bytes_.size() - at_ < size) return false;
    value.kind = kind;
    value.view = bytes_.substr(at_, size);
    at_ += size;
    return true;
  }

  std::string_view bytes_;
  std::size_t at_ = 0;
};

}  // namespace recocore::events
