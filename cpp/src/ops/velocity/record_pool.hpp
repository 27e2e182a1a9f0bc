// Room for keys, and for the records of those with few events.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "base/big_array.hpp"
#include "ops/velocity/plan.hpp"

namespace recocore::velocity {

/// Blocks of 2, 4, .. records behind a few words, that others take over when they are given back.
class RecordPool {
 public:
  /// Of `words` a record, and `head` before the first.
  RecordPool(std::size_t head, std::size_t words) : head_(head), words_(words) {}

  /// A block of `room` records, a power of two.
  std::uint64_t* take(std::size_t room) {
    std::vector<std::uint64_t*>& free = free_of(room);
    if (!free.empty()) {
      std::uint64_t* const block = free.back();
      free.pop_back();
      return block;
    }
    const std::size_t size = head_ + room * words_;
    if (size > left_) {
      left_ = std::max(size, std::clamp(held_, kFirstPiece, kPiece));
      pieces_.emplace_back();
      next_ = pieces_.back().resize(static_cast<std::int64_t>(left_));
      held_ += left_;
    }
    std::uint64_t* const block = next_;
    next_ += size;
    left_ -= size;
    return block;
  }

  void give_back(std::uint64_t* block, std::size_t room) { free_of(room).push_back(block); }

 private:
  // Words: 64 KiB as long as there are few, and 2 MiB, a large page, when there are many.
  static constexpr std::size_t kFirstPiece = std::size_t{1} << 13U;
  static constexpr std::size_t kPiece = std::size_t{1} << 18U;

  std::vector<std::uint64_t*>& free_of(std::size_t room) noexcept {
    return free_[static_cast<std::size_t>(std::countr_zero(room))];
  }

  std::size_t head_;
  std::size_t words_;
  std::size_t left_ = 0;
  std::size_t held_ = 0;
  std::uint64_t* next_ = nullptr;
  std::vector<BigArray<std::uint64_t>> pieces_;
  std::array<std::vector<std::uint64_t*>, std::bit_width(Plan::kMost)> free_;  // by the logarithm of their records
};

/// Values by number, in pieces that double: what is there never moves, and many lie on large pages.
template <typename T>
class Slots {
 public:
  Slots() = default;
  Slots(Slots&& other) noexcept : pieces_(std::move(other.pieces_)), size_(std::exchange(other.size_, 0)) {}
  Slots& operator=(Slots&& other) noexcept {
    std::swap(pieces_, other.pieces_);
    std::swap(size_, other.size_);
    return *this;
  }
  Slots(const Slots&) = delete;
  Slots& operator=(const Slots&) = delete;
  ~Slots() {
    for (std::uint32_t slot = 0; slot < size_; ++slot) std::destroy_at(&(*this)[slot]);
  }

  [[nodiscard]] std::uint32_t size() const noexcept { return size_; }
  [[nodiscard]] T& operator[](std::uint32_t slot) noexcept { return *at(slot); }
  [[nodiscard]] const T& operator[](std::uint32_t slot) const noexcept { return *at(slot); }

  /// The number of a new value.
  std::uint32_t add() {
    if (size_ + kFirst == kFirst << pieces_.size()) {
      pieces_.emplace_back();
      pieces_.back().resize(static_cast<std::int64_t>(kFirst << (pieces_.size() - 1)));
    }
    std::construct_at(at(size_));
    return size_++;
  }

 private:
  /// Room for one, without a value.
  struct Room {
    alignas(T) std::array<std::byte, sizeof(T)> bytes;
  };
  static constexpr std::uint64_t kFirst = 256;  // values of the first piece; piece p has 2^p times as many

  [[nodiscard]] T* at(std::uint32_t slot) const noexcept {
    const std::uint64_t place = slot + kFirst;
    const auto piece = static_cast<std::size_t>(std::bit_width(place) - std::bit_width(kFirst));
    return reinterpret_cast<T*>(const_cast<Room*>(pieces_[piece].data()) + (place - (kFirst << piece)));
  }

  std::vector<BigArray<Room>> pieces_;
  std::uint32_t size_ = 0;
};

}  // namespace recocore::velocity
