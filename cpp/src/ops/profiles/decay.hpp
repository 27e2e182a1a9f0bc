// How much of something is left after some half-lives.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>

namespace recocore::cpu {

/// 2^-x to a relative 4e-16, without a call: an event takes one for each distinct half-life.
class Decay {
 public:
  Decay() {
    for (std::size_t i = 0; i < kSteps; ++i)
      steps_[i] = std::exp2(-static_cast<double>(i) / static_cast<double>(kSteps));
  }

  /// `x` is at least 0.
  [[nodiscard]] double operator()(double x) const noexcept {
    // Below that numbers lose digits, which std::exp2 rounds as it should.
    if (!(x < 1'000.0)) return std::exp2(-x);
    const double turns = x * static_cast<double>(kSteps);
    const auto whole = static_cast<std::int64_t>(turns);  // signed: without a step of its own on x86-64
    // 2^-x = 2^-(x's whole part) * 2^-(a step of the table) * e^rest; the series ends at 4e-17.
    const double rest = (turns - static_cast<double>(whole)) * (-std::numbers::ln2 / static_cast<double>(kSteps));
    const double series =
        1.0 + rest * (1.0 + rest * (1.0 / 2 + rest * (1.0 / 6 + rest * (1.0 / 24 + rest * (1.0 / 120)))));
    const auto steps = static_cast<std::uint64_t>(whole);
    const double scale = std::bit_cast<double>((1'023 - steps / kSteps) << 52U);
    return scale * (steps_[steps % kSteps] * series);
  }

 private:
  static constexpr std::size_t kSteps = 128;
  std::array<double, kSteps> steps_{};
};

}  // namespace recocore::cpu
