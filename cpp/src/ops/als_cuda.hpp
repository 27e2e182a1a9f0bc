// The CUDA implementation of recocore/als.hpp; arguments are already checked.
#pragma once

#include "recocore/als.hpp"

namespace recocore {

void gram_cuda(MatrixView<const float> factors, MatrixView<float> out, const Execution& execution);

AlsReport als_half_epoch_cuda(const AlsInteractions& interactions, MatrixView<const float> fixed,
                              MatrixView<float> solved, const AlsParams& params, const Execution& execution,
                              const AlsGiven& given);

[[nodiscard]] double als_objective_cuda(const AlsInteractions& interactions, MatrixView<const float> row_factors,
                                        MatrixView<const float> col_factors, const AlsParams& params,
                                        const Execution& execution, std::span<const float> offsets);

}  // namespace recocore
