// Money as whole minor units.
#include <algorithm>
#include <cmath>
#include <string>

#include "ops/profiles/checks.hpp"
#include "recocore/error.hpp"

namespace recocore {

void minor_units(std::span<const double> values, int digits, double missing, std::string_view argument,
                 std::span<std::int64_t> out) {
  require(digits >= 0 && digits <= 9, [&] { return "digits: expected 0 to 9, got " + std::to_string(digits); });
  require(values.size() == out.size(), [] { return std::string("out: expected a place for each value"); });
  double factor = 1.0;
  for (int i = 0; i < digits; ++i) factor *= 10.0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] == missing) {
      out[i] = kNone;
      continue;
    }
    const double units = values[i] * factor;
    const double whole = std::nearbyint(units);
    // A product of prices and pieces is a few roundings of float64 away from what it stands for.
    const bool fits = std::abs(units) <= static_cast<double>(cpu::kMostMoney) &&
                      std::abs(units - whole) <= std::max(1e-6, std::abs(units) * 0x1p-50);
    require(fits, [&] {
      return std::string(argument) + ": expected amounts with at most " + std::to_string(digits) +
             " decimals, below 2**43 minor units, got " + std::to_string(values[i]) + " in row " + std::to_string(i) +
             "; round them, or set money_digits";
    });
    out[i] = static_cast<std::int64_t>(whole);
  }
}

}  // namespace recocore
