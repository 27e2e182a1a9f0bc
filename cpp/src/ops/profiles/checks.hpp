// What profiles ask of their arguments.
#pragma once

// Packed bits, shifts and masks of small non-negative numbers: their operands are signed throughout.
// NOLINTBEGIN(bugprone-signed-bitwise)

#include <cstdint>
#include <span>

#include "recocore/profiles.hpp"

namespace recocore::cpu {

/// The most minor units of one amount: beyond, a float64 no longer tells a whole number of them from a fraction.
inline constexpr std::int64_t kMostMoney = std::int64_t{1} << 43;

/// Some 9,100 years from 1970: sums and differences of times stay within 64 bits.
inline constexpr std::int64_t kLatest = std::int64_t{1} << 58;

/// Each throws Error{invalid_argument} naming what does not fit.
void check_plan(const ProfilePlan& plan, std::span<const std::int32_t> user_zones, std::int64_t users);
void check_batch(const ProfileBatch& batch, int types, const ProfileVocabularies& vocabularies);
void check_offers(const PriceOffers& offers);

}  // namespace recocore::cpu
// NOLINTEND(bugprone-signed-bitwise)
