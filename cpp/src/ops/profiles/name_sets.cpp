#include "recocore/name_sets.hpp"

#include <algorithm>

namespace recocore {

std::optional<std::string> NameSets::joined(std::vector<std::string_view> members) {
  const auto wrong = [](std::string_view member) {
    return member.empty() || member.find(kSeparator) != std::string_view::npos;
  };
  if (std::ranges::any_of(members, wrong)) return std::nullopt;
  std::ranges::sort(members);
  const auto repeats = std::ranges::unique(members);
  members.erase(repeats.begin(), repeats.end());
  std::string name;
  for (const std::string_view member : members) {
    if (!name.empty()) name += kSeparator;
    name += member;
  }
  return name;
}

void NameSets::follow(const Vocabulary& sets) {
  for (std::int32_t set = size(); set < sets.size(); ++set) {
    std::string_view left = sets.name(set);
    while (!left.empty()) {
      const std::size_t end = std::min(left.find(kSeparator), left.size());
      codes_.push_back(names_.intern(left.substr(0, end)));
      left.remove_prefix(std::min(end + 1, left.size()));
    }
    begins_.push_back(codes_.size());
  }
}

std::int64_t NameSets::bytes() const noexcept {
  return names_.bytes() + std::ssize(codes_) * static_cast<std::int64_t>(sizeof(std::int32_t)) +
         std::ssize(begins_) * static_cast<std::int64_t>(sizeof(std::size_t));
}

}  // namespace recocore
