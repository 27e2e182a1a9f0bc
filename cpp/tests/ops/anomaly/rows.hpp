// Made-up rows of features.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "base/random.hpp"

namespace recocore {

/// Roughly normal values [n, f].
inline std::vector<double> some_rows(std::int64_t n, std::int64_t f, std::uint64_t seed) {
  SplitMix64 random(seed);
  std::vector<double> rows(static_cast<std::size_t>(n * f));
  for (double& value : rows) {
    value = -6;
    for (int i = 0; i < 12; ++i) value += random.uniform();
  }
  return rows;
}

}  // namespace recocore
