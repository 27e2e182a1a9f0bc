#include "ops/symmetric_eigen.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <utility>

#include "kernels/float64/kernel.hpp"
#include "recocore/error.hpp"

namespace recocore {
namespace {

using kernels::kRotated;
using kernels::Rotation;

// Rotations kept before they are applied to the vectors: 1 MiB of them.
constexpr std::size_t kPendingRotations = 65'536;
constexpr int kMostSweeps = 60;

std::size_t at(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

/// The tridiagonal matrix and the reflections that lead to it: reflection k is I - scales[k] v v^T, and v is in row k
/// of `reflectors` from element k + 1 on.
struct Tridiagonal {
  std::vector<double> diagonal;
  std::vector<double> off;  ///< off[k] couples k and k + 1
  std::vector<double> reflectors;
  std::vector<double> scales;
};

Tridiagonal tridiagonal(MatrixView<const float> matrix, const Execution& execution) {
  const auto& k64 = kernels::float64();
  const std::int64_t n = matrix.rows;
  // Work is split over threads only where a step is worth waking them for.
  constexpr std::int64_t kParallelOrder = 512;
  Tridiagonal t{std::vector<double>(at(n)), std::vector<double>(at(n), 0.0), std::vector<double>(at(n * n)),
                std::vector<double>(at(n), 0.0)};
  std::vector<double> a(at(n * n));
  for (std::int64_t i = 0; i < n; ++i) std::copy_n(matrix.row(i).data(), n, a.data() + i * n);
  std::vector<double> p(at(n));
  for (std::int64_t k = 0; k + 1 < n; ++k) {
    checkpoint();
    const std::int64_t m = n - k - 1;
    double* v = t.reflectors.data() + k * n + k + 1;
    std::copy_n(a.data() + k * n + k + 1, m, v);
    const double norm = std::sqrt(k64.dot(v, v, m));
    t.diagonal[at(k)] = a[at(k * n + k)];
    t.off[at(k)] = -std::copysign(norm, v[0]);
    if (norm == 0) continue;
    v[0] -= t.off[at(k)];
    const double scale = 2 / k64.dot(v, v, m);
    t.scales[at(k)] = scale;
    const auto rows = [&](const auto& body) {
      if (m < kParallelOrder) return body(0, m, 0);
      parallel_for(execution, m, 64, body);
    };
    rows([&](std::int64_t begin, std::int64_t end, int) {
      for (std::int64_t i = begin; i < end; ++i) p[at(i)] = scale * k64.dot(a.data() + (k + 1 + i) * n + k + 1, v, m);
    });
    const double half = scale / 2 * k64.dot(p.data(), v, m);
    for (std::int64_t i = 0; i < m; ++i) p[at(i)] -= half * v[i];
    rows([&](std::int64_t begin, std::int64_t end, int) {
      for (std::int64_t i = begin; i < end; ++i)
        k64.add_two(-v[i], p.data(), -p[at(i)], v, a.data() + (k + 1 + i) * n + k + 1, m);
    });
  }
  t.diagonal[at(n - 1)] = a[at(n * n - 1)];
  return t;
}

/// The product of the reflections, whose rows are the vectors that the rotations of QL then turn into eigenvectors.
std::vector<double> product_of_reflections(const Tridiagonal& t, std::int64_t n, std::int64_t stride,
                                           const Execution& execution) {
  const auto& k64 = kernels::float64();
  std::vector<double> rows(at(n * stride), 0.0);
  parallel_for(execution, n, 16, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i) {
      checkpoint();
      double* row = rows.data() + i * stride;
      row[i] = 1;
      // Reflections from i on leave this row of the identity alone.
      for (std::int64_t k = std::min(i, n - 1) - 1; k >= 0; --k) {
        const double* v = t.reflectors.data() + k * n + k + 1;
        const double along = t.scales[at(k)] * k64.dot(row + k + 1, v, n - k - 1);
        k64.add_two(-along, v, 0, v, row + k + 1, n - k - 1);
      }
    }
  });
  return rows;
}

/// Rotations in the order in which QL makes them, applied to the vectors in batches.
class PendingRotations {
 public:
  PendingRotations(std::vector<double>& vectors, std::int64_t stride, const Execution& execution)
      : vectors_(vectors), stride_(stride), execution_(execution) {}

  /// Starts a sweep down from row `high`.
  void start(std::int64_t high) { sweeps_.push_back({high, rotations_.size()}); }
  void add(Rotation rotation) { rotations_.push_back(rotation); }
  void end() {
    checkpoint();
    if (rotations_.size() >= kPendingRotations) apply();
  }

  void apply() {
    parallel_for(execution_, stride_ / kRotated, 1, [&](std::int64_t begin, std::int64_t end, int) {
      for (std::int64_t part = begin; part < end; ++part) {
        for (std::size_t s = 0; s < sweeps_.size(); ++s) {
          const std::size_t last = s + 1 < sweeps_.size() ? sweeps_[s + 1].first : rotations_.size();
          kernels::float64().rotate_rows(vectors_.data() + part * kRotated, stride_, sweeps_[s].high,
                                         rotations_.data() + sweeps_[s].first,
                                         static_cast<std::int64_t>(last - sweeps_[s].first));
        }
        checkpoint();
      }
    });
    sweeps_.clear();
    rotations_.clear();
  }

 private:
  struct Sweep {
    std::int64_t high;
    std::size_t first;
  };

  std::vector<double>& vectors_;
  std::int64_t stride_;
  const Execution& execution_;
  std::vector<Sweep> sweeps_;
  std::vector<Rotation> rotations_;
};

/// One sweep of QL on rows [low, high] of the tridiagonal matrix.
void ql_sweep(std::vector<double>& d, std::vector<double>& e, std::int64_t low, std::int64_t high,
              PendingRotations& rotations) {
  double g = (d[at(low + 1)] - d[at(low)]) / (2 * e[at(low)]);
  double r = std::sqrt(g * g + 1);
  g = d[at(high)] - d[at(low)] + e[at(low)] / (g + std::copysign(r, g));
  double s = 1;
  double c = 1;
  double p = 0;
  rotations.start(high);
  for (std::int64_t i = high - 1; i >= low; --i) {
    const double f = s * e[at(i)];
    const double b = c * e[at(i)];
    r = std::sqrt(f * f + g * g);
    e[at(i + 1)] = r;
    if (r == 0) {  // the matrix falls apart here: the sweep ends early
      d[at(i + 1)] -= p;
      e[at(high)] = 0;
      return;
    }
    s = f / r;
    c = g / r;
    g = d[at(i + 1)] - p;
    r = (d[at(i)] - g) * s + 2 * c * b;
    p = s * r;
    d[at(i + 1)] = g + p;
    g = c * r - b;
    rotations.add({c, s});
  }
  d[at(low)] -= p;
  e[at(low)] = g;
  e[at(high)] = 0;
}

SymmetricEigen decompose(MatrixView<const float> matrix, const Execution& execution) {
  const std::int64_t n = matrix.rows;
  Tridiagonal t = tridiagonal(matrix, execution);
  SymmetricEigen result;
  result.stride = (n + kRotated - 1) / kRotated * kRotated;
  result.vectors = product_of_reflections(t, n, result.stride, execution);
  std::vector<double>& d = t.diagonal;
  std::vector<double>& e = t.off;
  double largest = 0;
  for (std::int64_t i = 0; i < n; ++i) largest = std::max({largest, std::abs(d[at(i)]), std::abs(e[at(i)])});
  // Relative to the matrix and not to the neighbours on the diagonal, which may be zero where the rank is not full.
  const double negligible = std::numeric_limits<double>::epsilon() * largest;
  PendingRotations rotations(result.vectors, result.stride, execution);
  for (std::int64_t low = 0; low < n; ++low) {
    for (int sweep = 0;; ++sweep) {
      std::int64_t high = low;
      while (high + 1 < n && std::abs(e[at(high)]) > negligible) ++high;
      if (high == low) break;
      if (sweep == kMostSweeps)
        throw Error(ErrorCode::internal, "the eigenvalues of a " + std::to_string(n) + " x " + std::to_string(n) +
                                             " matrix did not converge");
      ql_sweep(d, e, low, high, rotations);
      rotations.end();
    }
  }
  rotations.apply();
  result.values = std::move(d);
  return result;
}

}  // namespace

SymmetricEigen symmetric_eigen(MatrixView<const float> matrix, const Execution& execution) {
  SymmetricEigen result;
  // One job around thousands of short ones, none of which lasts until a monitor is asked.
  parallel_for(execution, 1, 1, [&](std::int64_t, std::int64_t, int) { result = decompose(matrix, execution); });
  return result;
}

}  // namespace recocore
