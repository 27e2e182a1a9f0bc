// Solves symmetric positive definite systems of one thread, one after the other.
#pragma once

#include <cstdint>
#include <vector>

namespace recocore {

/// A Cholesky solver that keeps its working memory from one system to the next.
class Cholesky {
 public:
  /// Factors the lower triangle of the n x n row-major matrix in place, a = L L^T, and solves a x = b in place.
  /// Returns false, with both in an unspecified state, unless a is numerically positive definite. O(n^3).
  [[nodiscard]] bool solve(float* a, float* b, std::int64_t n);

 private:
  [[nodiscard]] bool factor(float* a, std::int64_t n);

  std::vector<float> panel_;
};

}  // namespace recocore
