// Protobuf's wire format (https://protobuf.dev/programming-guides/encoding/), as much of it as events and answers need.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace recocore::events {

enum class Wire : std::uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

/// A field as it was read: `bits` of numbers, `view` of bytes.
struct WireField {
  std::uint64_t number = 0;
  Wire wire = Wire::varint;
  std::uint64_t bits = 0;
  std::string_view view;
};

/// Reads fields from bytes of which nothing is known.
class WireReader {
 public:
  explicit WireReader(std::string_view bytes) : bytes_(bytes) {}

  [[nodiscard]] bool done() const noexcept { return at_ == bytes_.size(); }

  /// The next field; false where there is none that is whole, or it is a group.
  [[nodiscard]] bool next(WireField& field) noexcept {
    std::uint64_t tag = 0;
    if (!varint(tag) || tag > UINT32_MAX || tag < 8) return false;
    field.number = tag >> 3U;
    switch (tag & 7U) {
      case 0: field.wire = Wire::varint; return varint(field.bits);
      case 1: field.wire = Wire::fixed64; return fixed<std::uint64_t>(field.bits);
      case 2: {
        std::uint64_t size = 0;
        if (!varint(size) || size > bytes_.size() - at_) return false;
        field.wire = Wire::bytes;
        field.view = bytes_.substr(at_, size);
        at_ += size;
        return true;
      }
      case 5: field.wire = Wire::fixed32; return fixed<std::uint32_t>(field.bits);
      default: return false;
    }
  }

 private:
  [[nodiscard]] bool varint(std::uint64_t& value) noexcept {
    value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (at_ == bytes_.size()) return false;
      const std::uint64_t byte = static_cast<std::uint8_t>(bytes_[at_++]);
      if (shift == 63 && byte > 1) return false;
      value |= (byte & 0x7fU) << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }

  template <typename Word>
  [[nodiscard]] bool fixed(std::uint64_t& value) noexcept {
    static_assert(std::endian::native == std::endian::little);
    Word word = 0;
    if (bytes_.size() - at_ < sizeof word) return false;
    std::memcpy(&word, bytes_.data() + at_, sizeof word);
    at_ += sizeof word;
    value = word;
    return true;
  }

  std::string_view bytes_;
  std::size_t at_ = 0;
};

/// Seven bits a byte, the lowest first; all but the last have the highest bit set.
inline void append_varint(std::string& out, std::uint64_t number) {
  for (; number > 127; number >>= 7U) out.push_back(static_cast<char>((number & 127U) | 128U));
  out.push_back(static_cast<char>(number));
}

/// Appends fields of a message; what has the value that an absent field has is left out.
class WireWriter {
 public:
  explicit WireWriter(std::string& out) : out_(out) {}

  void text(unsigned field, std::string_view value) {
    if (!value.empty()) bytes(field, value);
  }
  void bytes(unsigned field, std::string_view value) {
    append_varint(out_, field << 3U | 2U);
    append_varint(out_, value.size());
    out_.append(value);
  }
  void whole(unsigned field, std::uint64_t value) {
    if (value == 0) return;
    append_varint(out_, field << 3U);
    append_varint(out_, value);
  }
  void number(unsigned field, double value) {
    if (std::bit_cast<std::uint64_t>(value) != 0) given_number(field, value);
  }
  void given_number(unsigned field, double value) {
    std::array<char, 8> bytes{};
    std::memcpy(bytes.data(), &value, bytes.size());
    append_varint(out_, field << 3U | 1U);
    out_.append(bytes.data(), bytes.size());
  }

 private:
  std::string& out_;
};

}  // namespace recocore::events
