// Checks the arguments of recocore/spmm.hpp and hands them to the device's implementation.
#include "recocore/spmm.hpp"

#include <string>

#include "ops/spmm_cpu.hpp"
#include "ops/spmm_cuda.hpp"
#include "recocore/error.hpp"

namespace recocore {

void spmm(const CsrView& sparse, MatrixView<const float> dense, MatrixView<float> out, const Execution& execution) {
  validate(sparse, "matrix", execution);
  require(dense.rows == sparse.cols, [&] {
    return "dense: expected " + std::to_string(sparse.cols) + " rows, one for each column of the matrix, got " +
           std::to_string(dense.rows);
  });
  require(out.rows == sparse.rows && out.cols == dense.cols, [&] {
    return "out: expected [" + std::to_string(sparse.rows) + ", " + std::to_string(dense.cols) + "], got [" +
           std::to_string(out.rows) + ", " + std::to_string(out.cols) + "]";
  });
  if (execution.device == Device::cuda) return spmm_cuda(sparse, dense, out, execution);
  spmm_cpu(sparse, dense, out, execution);
}

}  // namespace recocore
