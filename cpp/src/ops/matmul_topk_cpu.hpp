#pragma once

#include "recocore/matmul_topk.hpp"

namespace recocore {

/// The functions of matmul_topk.hpp on the CPU; the arguments are checked.
[[nodiscard]] CsrMatrix matmul_topk_cpu(const CsrView& a, const CsrView& b, const MatmulTopkParams& params,
                                        const Execution& execution);

void matmul_topk_padded_cpu(const CsrView& a, const std::optional<std::span<const std::int32_t>>& a_rows,
                            const CsrView& b, const CandidateFilter& filter, const MatrixView<std::int32_t>& ids,
                            const MatrixView<float>& scores, const Execution& execution);

}  // namespace recocore
