#pragma once

#include "recocore/similarity.hpp"

namespace recocore {

/// similarity() on the CPU; the arguments are checked.
[[nodiscard]] CsrMatrix similarity_cpu(const CsrView& matrix, const SimilarityParams& params,
                                       const std::optional<std::span<const std::int32_t>>& rows,
                                       const Execution& execution);

}  // namespace recocore
