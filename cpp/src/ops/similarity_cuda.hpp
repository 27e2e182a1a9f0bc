// The CUDA implementation of recocore/similarity.hpp and of recocore/matmul_topk.hpp, whose sums are the same;
// arguments are already checked.
#pragma once

#include "recocore/matmul_topk.hpp"
#include "recocore/similarity.hpp"

namespace recocore {

[[nodiscard]] CsrMatrix similarity_cuda(const CsrView& matrix, const SimilarityParams& params,
                                        const std::optional<std::span<const std::int32_t>>& rows,
                                        const Execution& execution);

[[nodiscard]] CsrMatrix matmul_topk_cuda(const CsrView& a, const CsrView& b, const MatmulTopkParams& params,
                                         const Execution& execution);

}  // namespace recocore
