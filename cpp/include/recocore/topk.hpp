#pragma once

#include <cstdint>

#include "recocore/filter.hpp"
#include "recocore/thread_pool.hpp"
#include "recocore/views.hpp"

namespace recocore {

/// The k items with the largest inner product for each query: score descending, then id ascending; id -1 and score -inf
/// where fewer than k items pass the filter. An inner product that overflows to NaN is never returned.
///
/// `queries` is [n, f], `items` [m, f], `ids` and `scores` [n, k] with any k >= 0. O(n * m * f) time, O(m) memory a
/// thread where there is a filter. Throws Error{invalid_argument} for shapes that do not fit, and for a value that is
/// not finite, naming its row.
void topk(MatrixView<const float> queries, MatrixView<const float> items, const CandidateFilter& filter,
          MatrixView<std::int32_t> ids, MatrixView<float> scores, const Execution& execution);

/// The inner product of each query with each item, `scores` [n, m]. O(n * m * f).
void score_all(MatrixView<const float> queries, MatrixView<const float> items, MatrixView<float> scores,
               const Execution& execution);

}  // namespace recocore
