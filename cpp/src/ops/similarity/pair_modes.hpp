// How the sums of a pair are gathered: what a list keeps of each entry and what is added where two rows meet.
#pragma once

#include <cstdint>

namespace recocore {

/// Rows meet: sums are numbers of common columns.
struct CountMode {
  using Sum = std::uint32_t;
  struct Entry {
    std::uint16_t partner;
  };
  static constexpr bool kBits = true;
  static constexpr std::uint32_t kListStep = 1;
  static constexpr std::int64_t kMostPartners = 32768;
  static constexpr std::uint32_t kNoPartner = 0xFFFF;

  static Entry entry(std::uint32_t partner, double) noexcept { return {static_cast<std::uint16_t>(partner)}; }
  static void add(Sum& sum, double, Entry) noexcept { ++sum; }
};

/// The same for rows with less than 2^16 entries, in lists only: half the memory for sums, so that more of them stay in
/// the first cache.
struct ThinCountMode : CountMode {
  using Sum = std::uint16_t;
  static constexpr bool kBits = false;
  static constexpr std::uint32_t kListStep = 4;
  static constexpr std::int64_t kMostPartners = kNoPartner - 64;  // so that padding ends before kNoPartner

  static void add(Sum& sum, double, Entry) noexcept { ++sum; }
};

/// Weights are integers up to SmallIntegers::kMost: sums of products are exact.
struct IntegerMode {
  using Sum = std::uint32_t;
  struct Entry {
    std::uint32_t partner : 24;
    std::uint32_t weight : 8;
  };
  static constexpr bool kBits = true;
  static constexpr std::uint32_t kListStep = 1;
  static constexpr std::int64_t kMostPartners = 32768;
  static constexpr std::uint32_t kNoPartner = 0xFFFFFF;

  static Entry entry(std::uint32_t partner, double weight) noexcept {
    return {partner & 0xFFFFFFU, static_cast<std::uint32_t>(weight) & 0xFFU};
  }
  static void add(Sum& sum, double weight, Entry entry) noexcept {
    sum += static_cast<std::uint32_t>(weight) * entry.weight;
  }
};

/// Weights are the matrix's float32 values; sums are float64.
struct FloatMode {
  using Sum = double;
  struct Entry {
    std::uint32_t partner;
    float weight;
  };
  static constexpr bool kBits = false;
  static constexpr std::uint32_t kListStep = 1;
  static constexpr std::int64_t kMostPartners = 8192;
  static constexpr std::uint32_t kNoPartner = 0xFFFFFFFF;

  static Entry entry(std::uint32_t partner, double weight) noexcept { return {partner, static_cast<float>(weight)}; }
  static void add(Sum& sum, double weight, Entry entry) noexcept { sum += weight * static_cast<double>(entry.weight); }
};

/// Weights and sums are float64.
struct DoubleMode {
  using Sum = double;
  struct Entry {
    double weight;
    std::uint32_t partner;
  };
  static constexpr bool kBits = false;
  static constexpr std::uint32_t kListStep = 1;
  static constexpr std::int64_t kMostPartners = 8192;
  static constexpr std::uint32_t kNoPartner = 0xFFFFFFFF;

  static Entry entry(std::uint32_t partner, double weight) noexcept { return {weight, partner}; }
  static void add(Sum& sum, double weight, Entry entry) noexcept { sum += weight * entry.weight; }
};

/// All moments of the two rows over their common columns.
struct MomentMode {
  struct Sum {
    double x = 0.0, y = 0.0, xx = 0.0, xy = 0.0, yy = 0.0;
  };
  using Entry = DoubleMode::Entry;
  static constexpr bool kBits = false;
  static constexpr std::uint32_t kListStep = 1;
  static constexpr std::int64_t kMostPartners = 2048;
  static constexpr std::uint32_t kNoPartner = 0xFFFFFFFF;

  static Entry entry(std::uint32_t partner, double weight) noexcept { return {weight, partner}; }
  static void add(Sum& sum, double weight, Entry entry) noexcept {
    sum.x += weight;
    sum.y += entry.weight;
    sum.xx += weight * weight;
    sum.xy += weight * entry.weight;
    sum.yy += entry.weight * entry.weight;
  }
};

}  // namespace recocore
