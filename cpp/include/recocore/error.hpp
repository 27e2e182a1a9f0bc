#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace recocore {

/// What went wrong, in the words that Python (`recocore.errors`) and gRPC translate.
enum class ErrorCode {
  invalid_argument,
  not_found,
  unsupported,
  out_of_memory,
  cancelled,
  corrupt,
  device,
  internal,
};

/// The code's name as Python's table knows it, for example "invalid_argument".
[[nodiscard]] std::string_view to_string(ErrorCode code) noexcept;

/// The one exception of the core. A message names the argument, what was expected and what came.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}

  [[nodiscard]] ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

/// Throws Error{invalid_argument} unless `condition` holds; the message is built only then.
template <typename MakeMessage>
void require(bool condition, MakeMessage&& message) {
  if (!condition) throw Error(ErrorCode::invalid_argument, std::forward<MakeMessage>(message)());
}

}  // namespace recocore
