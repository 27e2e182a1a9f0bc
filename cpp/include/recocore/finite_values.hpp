// Whether values are finite, for arrays as large as the memory.
#pragma once

#include <span>

#include "recocore/thread_pool.hpp"

namespace recocore {

/// Whether no value is NaN or infinite. O(n), as fast as memory is read.
[[nodiscard]] bool all_finite(std::span<const float> values, const Execution& execution);

}  // namespace recocore
