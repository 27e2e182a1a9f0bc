#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "recocore/thread_pool.hpp"

namespace recocore {

/// The means of `samples` bootstrap resamples: each draws as many values as there are, with replacement. Sample s draws
/// from a stream of its own, begun from `seed` and s (SplitMix64; Steele, Lea and Flood, OOPSLA 2014), so the result is
/// the same at every thread count. O(values x samples).
///
/// Throws Error{invalid_argument} without values or for fewer than 0 samples.
[[nodiscard]] std::vector<double> resampled_means(std::span<const double> values, std::int64_t samples,
                                                  std::uint64_t seed, const Execution& execution);

}  // namespace recocore
