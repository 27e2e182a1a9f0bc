// The CPU implementation of recocore/topk.hpp; arguments are already checked.
#pragma once

#include "recocore/topk.hpp"

namespace recocore {

void topk_cpu(const TopkProblem& problem, const CandidateFilter& filter, MatrixView<std::int32_t> ids,
              MatrixView<float> scores, const Execution& execution);

void score_all_cpu(MatrixView<const float> queries, MatrixView<const float> items, MatrixView<float> scores,
                   const Execution& execution);

}  // namespace recocore
