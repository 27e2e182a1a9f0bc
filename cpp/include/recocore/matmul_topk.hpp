#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "recocore/csr.hpp"
#include "recocore/filter.hpp"
#include "recocore/thread_pool.hpp"
#include "recocore/views.hpp"

namespace recocore {

struct MatmulTopkParams {
  std::optional<std::int64_t> k;   ///< keep the k best of each row; nothing: keep all
  std::optional<float> threshold;  ///< entries below are left out; compared in float32
};

/// The k largest entries of each row of the sparse product a · b: float32 [a.rows, b.cols], columns rising in each row.
/// Chosen by value descending, then column ascending. An entry is in the product where stored entries of a and b meet,
/// even if their products cancel to 0: negatives and zeros compete like any other value. Sums are float64 in the order
/// of a's row, so the bytes are the same at every thread count. 12 to 20 bytes of scratch a column of b and thread; O(Σ
/// entries that meet). Throws Error: invalid_argument for a malformed matrix, a value that is not finite, shapes that
/// do not fit or a bad parameter; out_of_memory before it happens.
[[nodiscard]] CsrMatrix matmul_topk(const CsrView& a, const CsrView& b, const MatmulTopkParams& params,
                                    const Execution& execution);

/// The same product for some rows of `a`, with a filter, padded: query q is row a_rows[q] of `a` (without a_rows, row
/// q) and row q of `ids` and `scores`, k wide, receives its best admitted columns, value descending then column
/// ascending, then kPadId and kPadScore. Only the rows of a and b that the queries reach are looked at, and checked.
void matmul_topk_padded(const CsrView& a, const std::optional<std::span<const std::int32_t>>& a_rows, const CsrView& b,
                        const CandidateFilter& filter, const MatrixView<std::int32_t>& ids,
                        const MatrixView<float>& scores, const Execution& execution);

}  // namespace recocore
