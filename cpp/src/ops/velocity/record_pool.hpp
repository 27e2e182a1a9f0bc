// Room for the records of keys with few events, in blocks of 2, 4, .. records that others take over when they are given
// back.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <memory>
#include <vector>

#include "ops/velocity/plan.hpp"

namespace recocore::velocity {

class RecordPool {
 public:
  explicit RecordPool(std::size_t words) : words_(words) {}

  /// Records of the smallest block.
  static constexpr std::size_t kLeast = 2;

  /// A block of `room` records, a power of two.
  std::uint64_t* take(std::size_t room) {
    std::vector<std::uint64_t*>& free = free_of(room);
    if (!free.empty()) {
      std::uint64_t* const block = free.back();
      free.pop_back();
      return block;
    }
    const std::size_t size = room * words_;
    if (size > left_) {
      left_ = std::max(size, kPiece);
      pieces_.push_back(std::make_unique_for_overwrite<std::uint64_t[]>(left_));
      next_ = pieces_.back().get();
    }
    std::uint64_t* const block = next_;
    next_ += size;
    left_ -= size;
    return block;
  }

  void give_back(std::uint64_t* block, std::size_t room) { free_of(room).push_back(block); }

 private:
  static constexpr std::size_t kPiece = 8192;  // words: 64 KiB

  std::vector<std::uint64_t*>& free_of(std::size_t room) noexcept {
    return free_[static_cast<std::size_t>(std::countr_zero(room))];
  }

  std::size_t words_;
  std::size_t left_ = 0;
  std::uint64_t* next_ = nullptr;
  std::vector<std::unique_ptr<std::uint64_t[]>> pieces_;
  std::array<std::vector<std::uint64_t*>, std::bit_width(Plan::kMost)> free_;  // by the logarithm of their records
};

}  // namespace recocore::velocity
