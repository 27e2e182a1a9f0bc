// A checkpoint's bytes: plain values one after the other.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "recocore/error.hpp"

namespace recocore::velocity {

class ByteWriter {
 public:
  template <typename T>
  void put(const T& value) {
    static_assert(std::has_unique_object_representations_v<T> || std::is_same_v<T, double>);
    const std::size_t at = bytes_.size();
    bytes_.resize(at + sizeof(T));
    std::memcpy(bytes_.data() + at, &value, sizeof(T));
  }

  [[nodiscard]] std::vector<std::uint8_t> take() { return std::move(bytes_); }

 private:
  std::vector<std::uint8_t> bytes_;
};

class ByteReader {
 public:
  explicit ByteReader(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  template <typename T>
  T get() {
    check(sizeof(T) <= left(), "it ends early");
    T value;
    std::memcpy(&value, bytes_.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }

  /// A number of things that take at least `each` bytes, so that a wrong one cannot make anybody allocate much.
  std::size_t count(std::size_t each) {
    const auto number = get<std::uint64_t>();
    check(number <= left() / each, "a count is larger than what follows");
    return static_cast<std::size_t>(number);
  }

  [[nodiscard]] std::size_t left() const noexcept { return bytes_.size() - at_; }

  static void check(bool condition, const char* what) {
    if (!condition) throw Error(ErrorCode::corrupt, std::string("state: expected a state of Velocity, but ") + what);
  }

 private:
  std::span<const std::uint8_t> bytes_;
  std::size_t at_ = 0;
};

}  // namespace recocore::velocity
