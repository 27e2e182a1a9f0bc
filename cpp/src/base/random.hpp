#pragma once

#include <cstdint>

namespace recocore {

/// A stream of 64 random bits at a time (SplitMix64; Steele, Lea and Flood, OOPSLA 2014), the same on every machine.
class SplitMix64 {
 public:
  explicit SplitMix64(std::uint64_t state) : state_(state) {}

  /// Stream number `stream` of a seed.
  SplitMix64(std::uint64_t seed, std::uint64_t stream) : state_(SplitMix64(SplitMix64(seed).next() + stream).next()) {}

  std::uint64_t next() {
    state_ += 0x9E3779B97F4A7C15U;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31U);
  }

  /// Uniform in [0, 1), a multiple of 2^-53.
  double uniform() { return static_cast<double>(next() >> 11U) * 0x1p-53; }

  /// Uniform in [0, count), which is at least 1 and below 2^53: 53 random bits times count / 2^53 stay below count,
  /// also after rounding.
  std::int64_t below(std::int64_t count) {
    return static_cast<std::int64_t>(static_cast<double>(next() >> 11U) * (static_cast<double>(count) * 0x1p-53));
  }

 private:
  std::uint64_t state_;
};

}  // namespace recocore
