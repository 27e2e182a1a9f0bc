// Packed bits, shifts and masks of small non-negative numbers: their operands are signed throughout.
// NOLINTBEGIN(bugprone-signed-bitwise)

// Names by code.
#include <algorithm>
#include <cstring>

#include "recocore/error.hpp"
#include "recocore/profile_log.hpp"

namespace recocore {
namespace {

// Blocks grow with the text, so that few names take little room.
constexpr std::int64_t kFirstBlock = std::int64_t{1} << 10;
constexpr std::int64_t kLargestBlock = std::int64_t{1} << 16;

}  // namespace

std::int32_t Interner::find(std::string_view name) const {
  return table_.empty() ? -1 : table_[place_of(name, hash_name(name))];
}

std::int32_t Interner::intern(std::string_view name) {
  if (2 * (static_cast<std::size_t>(names_.size()) + 1) > table_.size()) grow();
  const std::size_t place = place_of(name, hash_name(name));
  if (table_[place] < 0) {
    require(names_.size() < INT32_MAX, [] { return std::string("names: expected fewer than 2**31 distinct names"); });
    table_[place] = names_.add(keep(name));
  }
  return table_[place];
}

std::int64_t Interner::bytes() const noexcept {
  constexpr std::int64_t kView = sizeof(std::string_view) + sizeof(std::uint64_t);
  return text_bytes_ + names_.size() * kView + std::ssize(table_) * static_cast<std::int64_t>(sizeof(std::int32_t));
}

std::size_t Interner::place_of(std::string_view name, std::uint64_t hash) const {
  const std::size_t mask = table_.size() - 1;
  for (std::size_t at = hash & mask;; at = (at + 1) & mask) {
    const std::int32_t code = table_[at];
    if (code < 0 || (names_.hash(code) == hash && names_.name(code) == name)) return at;
  }
}

std::string_view Interner::keep(std::string_view name) {
  if (name.empty()) return {};
  if (block_used_ + name.size() > block_size_) {
    const auto usual = static_cast<std::size_t>(std::clamp(text_bytes_, kFirstBlock, kLargestBlock));
    block_size_ = std::max(usual, name.size());
    block_used_ = 0;
    blocks_.push_back(std::make_unique<char[]>(block_size_));
    text_bytes_ += static_cast<std::int64_t>(block_size_);
  }
  char* at = blocks_.back().get() + block_used_;
  std::memcpy(at, name.data(), name.size());
  block_used_ += name.size();
  return {at, name.size()};
}

void Interner::grow() {
  table_.assign(std::max<std::size_t>(16, 2 * table_.size()), -1);
  const std::size_t mask = table_.size() - 1;
  for (std::int32_t code = 0; code < names_.size(); ++code) {
    std::size_t at = names_.hash(code) & mask;
    while (table_[at] >= 0) at = (at + 1) & mask;
    table_[at] = code;
  }
}

}  // namespace recocore
// NOLINTEND(bugprone-signed-bitwise)
