#include "recocore/positive_definite.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/float64/kernel.hpp"

namespace recocore {

double factor_lower(std::span<double> a, std::int64_t n, double least) {
  const auto dot = kernels::float64().dot;
  double smallest = std::numeric_limits<double>::infinity();
  for (std::int64_t i = 0; i < n; ++i) {
    double* row = a.data() + i * n;
    for (std::int64_t j = 0; j < i; ++j) {
      const double* other = a.data() + j * n;
      row[j] = (row[j] - dot(row, other, j)) / other[j];
    }
    const double pivot = row[i] - dot(row, row, i);
    // Written so that what is not a number counts as the smallest.
    if (!(pivot >= smallest)) smallest = pivot;
    row[i] = std::sqrt(std::max(pivot, least));
    std::fill(row + i + 1, row + n, 0.0);
  }
  return smallest;
}

void solve_lower(std::span<const double> lower, std::int64_t n, double* x) {
  const auto dot = kernels::float64().dot;
  for (std::int64_t i = 0; i < n; ++i) {
    const double* row = lower.data() + i * n;
    x[i] = (x[i] - dot(row, x, i)) / row[i];
  }
}

std::optional<std::vector<double>> solve_positive_definite(MatrixView<const double> a, std::span<const double> b) {
  const std::int64_t n = a.rows;
  std::vector<double> lower;
  lower.reserve(static_cast<std::size_t>(n * n));
  double largest = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const auto row = a.row(i);
    lower.insert(lower.end(), row.begin(), row.end());
    largest = std::max(largest, row[static_cast<std::size_t>(i)]);
  }
  // A pivot this far below the largest element is rounding error.
  const double least = largest * static_cast<double>(n) * std::numeric_limits<double>::epsilon();
  if (n > 0 && !(factor_lower(lower, n, least) > least)) return std::nullopt;
  std::vector<double> x(b.begin(), b.end());
  solve_lower(lower, n, x.data());
  for (std::int64_t i = n - 1; i >= 0; --i) {
    const double* row = lower.data() + i * n;
    double* const at = x.data() + i;
    *at /= row[i];
    for (std::int64_t j = 0; j < i; ++j) x[static_cast<std::size_t>(j)] -= row[j] * *at;
  }
  return x;
}

}  // namespace recocore
