// Solves symmetric positive definite systems of one thread, one after the other.
#pragma once

#include <cstdint>

#include "kernels/least_squares/kernel.hpp"

namespace recocore {

/// What became of a system: solved, or why not.
enum class Solved { yes, singular, overflow };

/// n rounded up to what the kernels take.
[[nodiscard]] constexpr std::int64_t padded(std::int64_t n) noexcept {
  return (n + kernels::kLane - 1) / kernels::kLane * kernels::kLane;
}

/// The distance between the rows of a matrix of that width: an odd number of cache lines, so that the elements of a
/// column do not compete for the same few places of the cache.
[[nodiscard]] constexpr std::int64_t row_distance(std::int64_t n) noexcept {
  const std::int64_t width = padded(n);
  return width / kernels::kLane % 2 == 1 ? width : width + kernels::kLane;
}

/// Factors the upper triangle of the n x n row-major matrix in place, a = U^T U, and solves a x = b in place. Both are
/// aligned and have room for padded(n) rows and columns, whose content beyond n is zero. Unless the result is yes both
/// are left in an unspecified state: the matrix is not numerically positive definite, or float32 cannot hold it.
/// O(n^3).
[[nodiscard]] Solved solve_positive_definite(float* a, std::int64_t lda, float* b, std::int64_t n);

}  // namespace recocore
