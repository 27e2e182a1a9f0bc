// Eigenvalues and eigenvectors of a symmetric matrix, in float64.
#pragma once

#include <cstdint>
#include <vector>

#include "recocore/thread_pool.hpp"
#include "recocore/views.hpp"

namespace recocore {

struct SymmetricEigen {
  std::vector<double> values;   ///< [n], in no particular order
  std::vector<double> vectors;  ///< row k is the unit eigenvector of values[k]; rows are `stride` apart
  std::int64_t stride = 0;
};

/// Householder's reduction to a tridiagonal matrix, then QL with implicit shifts (Golub and Van Loan, "Matrix
/// Computations", 4th edition, sections 8.3.1 and 8.3.3). `matrix` `[n, n]` is symmetric and finite. O(n^3); the same
/// bytes at every thread count. Throws Error{internal} if the iteration does not converge.
[[nodiscard]] SymmetricEigen symmetric_eigen(MatrixView<const float> matrix, const Execution& execution);

}  // namespace recocore
