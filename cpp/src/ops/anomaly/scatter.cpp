#include "ops/anomaly/scatter.hpp"

#include <cmath>

#include "kernels/float64/kernel.hpp"
#include "recocore/positive_definite.hpp"
#include "recocore/thread_pool.hpp"

namespace recocore {
namespace {

std::size_t at(std::int64_t index) {
  return static_cast<std::size_t>(index);
}

}  // namespace

Scatter scatter_of(MatrixView<const double> rows, std::span<const std::int64_t> chosen, double ridge, double factor) {
  const std::int64_t f = rows.cols;
  const auto count = static_cast<double>(chosen.size());
  Scatter scatter;
  scatter.location.assign(at(f), 0);
  for (const std::int64_t r : chosen)
    for (std::int64_t j = 0; j < f; ++j) scatter.location[at(j)] += rows.data[r * rows.stride + j];
  for (double& mean : scatter.location) mean /= count;
  scatter.lower.assign(at(f * f), 0);
  std::vector<double> centered(at(f));
  for (const std::int64_t r : chosen) {
    for (std::int64_t j = 0; j < f; ++j) centered[at(j)] = rows.data[r * rows.stride + j] - scatter.location[at(j)];
    for (std::int64_t i = 0; i < f; ++i) {
      const double c = centered[at(i)];
      double* row = scatter.lower.data() + i * f;
      for (std::int64_t j = 0; j <= i; ++j) row[j] += c * centered[at(j)];
    }
    checkpoint();
  }
  for (std::int64_t i = 0; i < f; ++i) {
    double* row = scatter.lower.data() + i * f;
    for (std::int64_t j = 0; j <= i; ++j) row[j] *= factor / count;
    row[i] += factor * ridge;
  }
  factor_lower(scatter.lower, f, factor * ridge);
  for (std::int64_t i = 0; i < f; ++i) scatter.log_determinant += 2 * std::log(scatter.lower[at(i * f + i)]);
  return scatter;
}

void distances(const Scatter& scatter, MatrixView<const double> rows, std::span<double> out) {
  const std::int64_t f = rows.cols;
  const auto dot = kernels::float64().dot;
  std::vector<double> x(at(f));
  for (std::int64_t r = 0; r < rows.rows; ++r) {
    for (std::int64_t j = 0; j < f; ++j) x[at(j)] = rows.data[r * rows.stride + j] - scatter.location[at(j)];
    solve_lower(scatter.lower, f, x.data());
    out[at(r)] = dot(x.data(), x.data(), f);
    checkpoint();
  }
}

std::vector<double> precision_of(const Scatter& scatter) {
  const auto f = static_cast<std::int64_t>(scatter.location.size());
  const auto dot = kernels::float64().dot;
  // Column i of the inverse of L, as row i; entries before i are 0.
  std::vector<double> inverse(at(f * f), 0);
  for (std::int64_t i = 0; i < f; ++i) {
    inverse[at(i * f + i)] = 1;
    solve_lower(scatter.lower, f, inverse.data() + i * f);
  }
  std::vector<double> precision(at(f * f));
  for (std::int64_t i = 0; i < f; ++i)
    for (std::int64_t j = 0; j <= i; ++j)
      precision[at(i * f + j)] = precision[at(j * f + i)] = dot(inverse.data() + i * f, inverse.data() + j * f, f);
  return precision;
}

}  // namespace recocore
