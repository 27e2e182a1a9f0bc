// Names that stand for sets of names: the tags of an item are one name, and so one code of an event.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "recocore/interner.hpp"

namespace recocore {

/// The members of sets, by the sets' codes. A set's name is its members in the order of their bytes, each once, with
/// kSeparator between them; the empty set has the empty name.
class NameSets {
 public:
  /// Of ASCII, where it separates units of text.
  static constexpr char kSeparator = '\x1f';

  /// The name of a set, nothing where a member is empty or holds the separator.
  [[nodiscard]] static std::optional<std::string> joined(std::vector<std::string_view> members);

  /// Reads the sets that came since the last call; `sets` is the same vocabulary each time. O(their text).
  void follow(const Vocabulary& sets);

  /// How many sets were read.
  [[nodiscard]] std::int32_t size() const noexcept { return static_cast<std::int32_t>(begins_.size() - 1); }
  /// The members of a set, codes of names().
  [[nodiscard]] std::span<const std::int32_t> members(std::int32_t set) const {
    const auto at = static_cast<std::size_t>(set);
    return std::span(codes_).subspan(begins_[at], begins_[at + 1] - begins_[at]);
  }
  /// The distinct members of all.
  [[nodiscard]] const Vocabulary& names() const noexcept { return names_.names(); }
  /// The memory held.
  [[nodiscard]] std::int64_t bytes() const noexcept;

 private:
  Interner names_;
  std::vector<std::int32_t> codes_;
  std::vector<std::size_t> begins_{0};
};

}  // namespace recocore
