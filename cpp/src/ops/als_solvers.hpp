// Solvers for one row of an ALS half-epoch: minimise x^T (D + sum w y y^T) x - 2 b^T x, where D = alpha0 G + lambda I
// and b = sum of pull y + lambda prior.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/aligned.hpp"
#include "ops/als_basis.hpp"
#include "ops/als_plan.hpp"
#include "ops/cholesky.hpp"
#include "recocore/als.hpp"

namespace recocore {

/// One row: its entries, its regularisation and the factors to improve, in the basis of the half-epoch.
struct Row {
  std::span<const std::int32_t> columns;
  std::span<const float> values;
  double lambda;
  std::span<float> x;
  std::span<const float> weights;          ///< the entries' own; ones where empty
  std::span<const std::int32_t> features;  ///< of the prior
  std::span<const float> feature_values;
};

/// What the right sides of all rows take from outside their entries; what is empty is not there.
struct RightSides {
  std::span<const float> offsets;          ///< of each column, taken from ratings
  const float* feature_weights = nullptr;  ///< of the prior, in the basis of the half-epoch, rows padded(f) apart
};

/// Solves rows with the working memory of one thread, which grows to what the longest needs.
class RowSolver {
 public:
  RowSolver(const AlsBasis& basis, const AlsPlan& plan, const AlsParams& params, const RightSides& right_sides);

  /// Unless the result is yes, the row's x is not to be used.
  [[nodiscard]] Solved solve(const Row& row);

  /// The same by the f x f system, whose sum over entries all threads build together.
  [[nodiscard]] Solved solve_shared(const Row& row, const Execution& execution);

  /// What was solved so far.
  [[nodiscard]] const AlsReport& report() const noexcept { return report_; }

 private:
  void weigh(const Row& row);
  void start_right_side(const Row& row);
  void start_matrix(double lambda);
  void add_right_side(const Row& row, std::int64_t first, std::int64_t count);
  [[nodiscard]] bool dual_fits(const Row& row) const;
  [[nodiscard]] Solved finish_primal(const Row& row);

  [[nodiscard]] Solved solve_primal(const Row& row);
  [[nodiscard]] Solved solve_dual(const Row& row);
  [[nodiscard]] Solved solve_cg(const Row& row);
  [[nodiscard]] Solved solve_subspace(const Row& row);

  /// Calls body(tile, distance, first, count): columns [begin, begin + width) of the scaled factors of entries [first,
  /// first + count), in rows that are `distance` apart. Factors are copied once for the row where all of them fit.
  template <typename Body>
  void for_tiles(const Row& row, std::int64_t begin, std::int64_t width, const Body& body);
  /// product = (D x)[begin, begin + count)
  void multiply_dense(const float* x, double lambda, std::int64_t begin, std::int64_t count, float* product) const;

  const AlsBasis& basis_;
  const AlsPlan& plan_;
  const AlsParams& params_;
  RightSides right_sides_;
  std::int64_t factors_;
  std::int64_t width_;     ///< padded
  std::int64_t distance_;  ///< between the rows of a matrix
  AlsReport report_;

  AlignedFloats scales_;  ///< sqrt(w) of each entry
  AlignedFloats pulls_;   ///< of each entry; b = sum of pull y
  AlignedFloats matrix_;
  AlignedFloats tile_;
  bool tiled_ = false;   ///< tile_ holds all entries of the row
  AlignedFloats right_;  ///< b; after weigh() what does not come from entries
  AlignedFloats diagonal_;
  AlignedFloats inverse_;
  AlignedFloats x_;
  AlignedFloats residual_;
  AlignedFloats direction_;
  AlignedFloats product_;
  AlignedFloats predictions_;
  AlignedFloats steps_;
};

}  // namespace recocore
