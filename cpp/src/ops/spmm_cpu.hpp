// The CPU implementation of recocore/spmm.hpp; arguments are already checked.
#pragma once

#include "recocore/spmm.hpp"

namespace recocore {

void spmm_cpu(const CsrView& sparse, MatrixView<const float> dense, MatrixView<float> out, const Execution& execution);

}  // namespace recocore
