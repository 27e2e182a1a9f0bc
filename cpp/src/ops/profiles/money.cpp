// Money as whole minor units.
#include <algorithm>
#include <cmath>
#include <string>

#include "ops/profiles/checks.hpp"
#include "recocore/error.hpp"

namespace recocore {

namespace {

// Added and taken away, it leaves the nearest whole number of what is below 2^51, halves to even ones.
constexpr double kRound = 0x1.8p52;

}  // namespace

std::optional<std::int64_t> minor_unit(double value, double factor) noexcept {
  const double units = value * factor;
  const double whole = (units + kRound) - kRound;
  // A product of prices and pieces is a few roundings of float64 away from what it stands for.
  const bool near = std::abs(units - whole) <= std::max(1e-6, std::abs(units) * 0x1p-50);
  if (!near || !(std::abs(units) <= static_cast<double>(cpu::kMostMoney))) return std::nullopt;
  return static_cast<std::int64_t>(whole);
}

void minor_units(std::span<const double> values, const ValidBits& valid, int digits, std::string_view argument,
                 std::span<std::int64_t> out) {
  require(digits >= 0 && digits <= 9, [&] { return "digits: expected 0 to 9, got " + std::to_string(digits); });
  require(values.size() == out.size(), [] { return std::string("out: expected a place for each value"); });
  double factor = 1.0;
  for (int i = 0; i < digits; ++i) factor *= 10.0;
  for (std::size_t row = 0; row < values.size(); ++row) {
    if (!valid[static_cast<std::int64_t>(row)]) {
      out[row] = kNone;
      continue;
    }
    const auto units = minor_unit(values[row], factor);
    require(units.has_value(), [&] {
      return std::string(argument) + ": expected amounts with at most " + std::to_string(digits) +
             " decimals, below 2**43 minor units, got " + std::to_string(values[row]) + " in row " +
             std::to_string(row) + "; round them, or set money_digits";
    });
    out[row] = *units;
  }
}

}  // namespace recocore
