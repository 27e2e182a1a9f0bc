#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "recocore/csr.hpp"
#include "recocore/thread_pool.hpp"
#include "recocore/views.hpp"

namespace recocore {

/// 1 - the mean cosine over the pairs of the first k items of each list, at every cutoff: [cutoffs, n] row-major. An
/// item whose vector is zero has cosine 0 with every other; a list with fewer than two items gets 0. Row i of `vectors`
/// is item i; -1 ends a list. O(n k entries of a vector): with unit vectors, sum of pairs = sum over j of <v_1 + ... +
/// v_{j-1}, v_j>.
///
/// Throws Error{invalid_argument} for an id outside [-1, items), a cutoff below 1 or a vector that is not finite.
[[nodiscard]] std::vector<double> list_diversity(const MatrixView<const std::int32_t>& ids,
                                                 const MatrixView<const float>& vectors,
                                                 std::span<const std::int64_t> cutoffs, const Execution& execution);
[[nodiscard]] std::vector<double> list_diversity(const MatrixView<const std::int32_t>& ids, const CsrView& vectors,
                                                 std::span<const std::int64_t> cutoffs, const Execution& execution);

}  // namespace recocore
