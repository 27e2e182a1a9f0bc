// Distinct names by code, kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "recocore/profiles.hpp"

namespace recocore {

/// Names by code, of which this keeps copies; a name keeps its code.
class Interner {
 public:
  /// The code of a name, a new one where it is not known.
  std::int32_t intern(std::string_view name);
  /// The code of a name, -1 where it is not known.
  [[nodiscard]] std::int32_t find(std::string_view name) const;
  [[nodiscard]] const Vocabulary& names() const noexcept { return names_; }
  /// The memory held.
  [[nodiscard]] std::int64_t bytes() const noexcept;

 private:
  [[nodiscard]] std::size_t place_of(std::string_view name, std::uint64_t hash) const;
  std::string_view keep(std::string_view name);
  void grow();

  Vocabulary names_;
  std::vector<std::int32_t> table_;  // codes, -1 where free
  std::vector<std::unique_ptr<char[]>> blocks_;
  std::size_t block_size_ = 0;
  std::size_t block_used_ = 0;
  std::int64_t text_bytes_ = 0;
};

}  // namespace recocore
