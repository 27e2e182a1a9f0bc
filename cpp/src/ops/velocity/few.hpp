// A vector for mostly one value.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

namespace recocore::velocity {

/// Trivial values in a row; the first needs no memory of its own, as most keys are seen once or seldom. Room that is
/// left over is given back when the values become few.
template <typename T>
class Few {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  Few() noexcept : own_() {}
  Few(Few&& other) noexcept : own_() { swap(other); }
  Few& operator=(Few&& other) noexcept {
    Few taken(std::move(other));
    swap(taken);
    return *this;
  }
  Few(const Few&) = delete;
  Few& operator=(const Few&) = delete;
  ~Few() = default;

  [[nodiscard]] T* begin() noexcept { return many_ ? many_.get() : &own_; }
  [[nodiscard]] T* end() noexcept { return begin() + size_; }
  [[nodiscard]] const T* begin() const noexcept { return many_ ? many_.get() : &own_; }
  [[nodiscard]] const T* end() const noexcept { return begin() + size_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

  void push_back(const T& value) { insert(end(), value); }

  void insert(const T* before, const T& value) {
    const auto at = static_cast<std::size_t>(before - begin());
    const T kept = value;  // may be one of these
    if (size_ == capacity_) reserve(capacity_ == 1 ? kFirst : 2 * static_cast<std::size_t>(capacity_));
    T* const place = begin() + at;
    std::copy_backward(place, end(), end() + 1);
    *place = kept;
    ++size_;
  }

  /// Drops the values in [first, last).
  void erase(const T* first, const T* last) {
    T* const to = begin() + (first - begin());
    std::copy(last, static_cast<const T*>(end()), to);
    size_ -= static_cast<std::uint32_t>(last - first);
    if (capacity_ > kSmall + 4 * static_cast<std::size_t>(size_)) reserve(size_);
  }

  /// Room for `room` values, at least for those there are.
  void reserve(std::size_t room) {
    room = std::max<std::size_t>({room, size_, 1});
    std::unique_ptr<T[]> fresh;
    if (room > 1) fresh = std::make_unique_for_overwrite<T[]>(room);
    std::copy(begin(), end(), fresh ? fresh.get() : &own_);
    many_ = std::move(fresh);
    capacity_ = static_cast<std::uint32_t>(room);
  }

  /// Asks for the memory beside this object, where there is any.
  void prefetch() const noexcept {
    if (many_) __builtin_prefetch(many_.get());
  }

 private:
  static constexpr std::size_t kFirst = 4;
  static constexpr std::size_t kSmall = 8;  // not worth giving back: the next events would ask for it again

  void swap(Few& other) noexcept {
    std::swap(many_, other.many_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
    std::swap(own_, other.own_);
  }

  std::unique_ptr<T[]> many_;  // all values, where there is room for more than one
  std::uint32_t size_ = 0;
  std::uint32_t capacity_ = 1;
  T own_;
};

}  // namespace recocore::velocity
