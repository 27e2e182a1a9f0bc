#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace recocore {

/// Makes FraudDecision messages, in the wire format of protocol buffers, of decisions in MessagePack.
class DecisionWriter {
 public:
  /// `numbers` are those of the names in the enumerations.
  explicit DecisionWriter(const std::map<std::string, std::uint64_t>& numbers)
      : numbers_(numbers.begin(), numbers.end()) {}

  /// The message of a decision, a map by the names of its attributes. O(bytes).
  ///
  /// Throws Error{corrupt} for anything else.
  [[nodiscard]] std::string write(std::string_view packed) const;

 private:
  std::vector<std::pair<std::string, std::uint64_t>> numbers_;
};

}  // namespace recocore
