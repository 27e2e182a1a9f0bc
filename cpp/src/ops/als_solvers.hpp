// Solvers for one row of an ALS half-epoch: minimise x^T (alpha0 G + sum w y y^T + lambda I) x - 2 sum w y^T x.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ops/cholesky.hpp"
#include "recocore/als.hpp"

namespace recocore {

/// What the rows of one half-epoch share.
struct HalfEpoch {
  MatrixView<const float> fixed;
  MatrixView<const float> gram;  ///< of fixed, both triangles
  const AlsParams& params;

  [[nodiscard]] std::int64_t factors() const noexcept { return fixed.cols; }
};

/// One row: its entries, its regularisation and the factors to improve.
struct Row {
  std::span<const std::int32_t> columns;
  std::span<const float> weights;
  float lambda;
  std::span<float> x;
};

/// Working memory of one thread, allocated once for a half-epoch.
class RowSolver {
 public:
  RowSolver(const HalfEpoch& half, AlsSolver solver);

  /// Unless the result is yes, the row's x is not to be used.
  [[nodiscard]] Solved solve(const Row& row);

 private:
  [[nodiscard]] Solved solve_cholesky(const Row& row);
  void solve_cg(const Row& row);
  [[nodiscard]] Solved solve_subspace(const Row& row);

  /// Copies columns [begin, begin + width) of the fixed factors of up to kGather entries, from `first` on; returns how
  /// many.
  std::int64_t gather(const Row& row, std::int64_t first, std::int64_t begin, std::int64_t width);

  const HalfEpoch& half_;
  AlsSolver solver_;
  Cholesky cholesky_;
  std::vector<float> matrix_;
  std::vector<float> gathered_;
  std::vector<float> right_;
  std::vector<float> residual_;
  std::vector<float> direction_;
  std::vector<float> product_;
  std::vector<float> predictions_;
};

}  // namespace recocore
