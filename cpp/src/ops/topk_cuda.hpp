// The CUDA implementation of recocore/topk.hpp; arguments are already checked, but for what only the device can read.
#pragma once

#include "recocore/topk.hpp"

namespace recocore {

void topk_cuda(const TopkProblem& problem, const CandidateFilter& filter, MatrixView<std::int32_t> ids,
               MatrixView<float> scores, const Execution& execution);

void score_all_cuda(MatrixView<const float> queries, MatrixView<const float> items, MatrixView<float> scores,
                    const Execution& execution);

}  // namespace recocore
