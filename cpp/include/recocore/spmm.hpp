#pragma once

#include "recocore/csr.hpp"
#include "recocore/thread_pool.hpp"
#include "recocore/views.hpp"

namespace recocore {

/// out = sparse * dense, `[rows, cols]` x `[cols, f]`: one step of propagation over a graph. Each sum is float64, in
/// the order of the row's entries, so the bytes are the same at every thread count and on every device. O(nnz f).
/// Throws Error{invalid_argument} for a malformed matrix, a value that is not finite or shapes that do not fit.
void spmm(const CsrView& sparse, MatrixView<const float> dense, MatrixView<float> out, const Execution& execution);

}  // namespace recocore
