// The CPU implementation of recocore/als.hpp; arguments are already checked.
#pragma once

#include "recocore/als.hpp"

namespace recocore {

void gram_cpu(MatrixView<const float> factors, MatrixView<float> out, const Execution& execution);

void als_half_epoch_cpu(const CsrView& interactions, MatrixView<const float> fixed, MatrixView<float> solved,
                        const AlsParams& params, const Execution& execution);

[[nodiscard]] double als_objective_cpu(const CsrView& interactions, MatrixView<const float> row_factors,
                                       MatrixView<const float> col_factors, const AlsParams& params,
                                       const Execution& execution);

}  // namespace recocore
