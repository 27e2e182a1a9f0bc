// Symmetric positive definite systems in float64, one at a time on one thread, by Cholesky's factorisation.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "recocore/views.hpp"

namespace recocore {

/// Makes L of a = L L^T, [n, n] and row-major, in place of a's lower triangle, and zeros of the rest. A pivot that
/// rounding has made less than `least` becomes that. Returns the smallest one as it was found. O(n^3).
double factor_lower(std::span<double> a, std::int64_t n, double least);

/// Solves L y = x in place. O(n^2).
void solve_lower(std::span<const double> lower, std::int64_t n, double* x);

/// x of a x = b, [n]; nothing where a is not positive definite to its last digits. Only the lower triangle of a is
/// read. O(n^3).
[[nodiscard]] std::optional<std::vector<double>> solve_positive_definite(MatrixView<const double> a,
                                                                         std::span<const double> b);

}  // namespace recocore
