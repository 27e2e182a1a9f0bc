// A location, a scatter matrix and distances from it, in float64.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "recocore/views.hpp"

namespace recocore {

/// Location and scatter of some rows, ready for distances.
struct Scatter {
  std::vector<double> location;  ///< [f]
  std::vector<double> lower;     ///< [f, f]: Cholesky's L of the scatter, row-major
  double log_determinant = 0;
};

/// Of rows `chosen` of `rows`; `ridge` is added to the variances, which are then multiplied by `factor`. O(chosen f^2).
[[nodiscard]] Scatter scatter_of(MatrixView<const double> rows, std::span<const std::int64_t> chosen, double ridge,
                                 double factor);

/// Squared Mahalanobis distances of all rows. O(rows f^2).
void distances(const Scatter& scatter, MatrixView<const double> rows, std::span<double> out);

/// The inverse of L L^T, [f, f].
[[nodiscard]] std::vector<double> precision_of(const Scatter& scatter);

}  // namespace recocore
