// Solves symmetric positive definite systems of one thread, one after the other.
#pragma once

#include <cstdint>
#include <vector>

namespace recocore {

/// What became of a system: solved, or why not.
enum class Solved { yes, singular, overflow };

/// A Cholesky solver that keeps its working memory from one system to the next.
class Cholesky {
 public:
  /// Factors the lower triangle of the n x n row-major matrix in place, a = L L^T, and solves a x = b in place.
  /// Unless the result is yes both are left in an unspecified state: the matrix is not numerically positive definite,
  /// or float32 cannot hold it. O(n^3).
  [[nodiscard]] Solved solve(float* a, float* b, std::int64_t n);

 private:
  [[nodiscard]] Solved factor(float* a, std::int64_t n);

  std::vector<float> panel_;
};

}  // namespace recocore
