// The fixed side of a half-epoch as the kernels want it: padded, aligned, and where it pays in the eigenbasis of its
// Gram matrix, in which that matrix is diagonal.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/aligned.hpp"
#include "recocore/als.hpp"
#include "recocore/thread_pool.hpp"
#include "recocore/views.hpp"

namespace recocore {

/// Chunks of a sum over entries of y y^T: their number depends on the shape alone, so that the result does too.
struct GramChunks {
  GramChunks(std::int64_t entries, std::int64_t factors);

  std::int64_t count;
  std::int64_t length;
};

/// The upper triangle of sum [padded(f), row_distance(f)] += sum over entries of scales[e]^2 y y^T, where y is row
/// columns[e] of source; null columns are 0, 1, ..., null scales are ones. `source` is padded and aligned. The chunks
/// are added up in float64, in order.
void add_gram(const float* source, std::int64_t stride, const std::int32_t* columns, const float* scales,
              std::int64_t entries, std::int64_t factors, float* sum, const Execution& execution);

/// Entries whose factors are copied next to each other at a time: as many as stay in the second-level cache.
[[nodiscard]] std::int64_t entries_at_a_time(std::int64_t factors) noexcept;

/// Whether rows lie as the kernels want them: a multiple of kLane wide, without gaps, from the start of a cache line
/// on.
[[nodiscard]] bool lies_ready(MatrixView<const float> factors) noexcept;

class AlsBasis {
 public:
  /// The Gram matrix is that of the rows given as counted, of all where there are none. O(rows f^2), and O(f^3) more
  /// where it is rotated; O(rows f) where alpha0 is 0, as the Gram matrix then counts nothing: any basis is its
  /// eigenbasis. Where `fixed` lies ready it is used where it is, and turned there if that is given: it outlives this.
  AlsBasis(MatrixView<const float> fixed, const AlsGiven& given, float alpha0, bool rotated,
           const Execution& execution);

  [[nodiscard]] std::int64_t factors() const noexcept { return factors_; }
  [[nodiscard]] std::int64_t fixed_rows() const noexcept { return rows_; }
  /// The Gram matrix is diagonal here.
  [[nodiscard]] bool rotated() const noexcept { return rotated_; }
  /// This is another basis than that of the factors given.
  [[nodiscard]] bool turned() const noexcept { return rotated_ && alpha0_ != 0; }
  [[nodiscard]] float alpha0() const noexcept { return alpha0_; }

  /// The fixed factors, rows padded(f) apart, in this basis.
  [[nodiscard]] const float* fixed() const noexcept { return rows_data_; }
  [[nodiscard]] std::int64_t stride() const noexcept;

  /// alpha0 times the Gram matrix, `[padded(f), row_distance(f)]`; not there where rotated.
  [[nodiscard]] const float* dense() const noexcept { return dense_.data(); }

  /// alpha0 times the diagonal of the Gram matrix in this basis, f elements.
  [[nodiscard]] const std::vector<double>& diagonal() const noexcept { return diagonal_; }

  /// The least and the largest element of that diagonal; only where it is rotated.
  [[nodiscard]] double least() const noexcept { return least_; }
  [[nodiscard]] double most() const noexcept { return most_; }

  /// Turns rows of factors, in place, into this basis and back; nothing where it is not rotated. O(rows f^2).
  void enter(MatrixView<float> factors, const Execution& execution) const;
  void leave(MatrixView<float> factors, const Execution& execution) const;
  /// Turns the fixed factors back where they are to be restored. O(rows f^2).
  void restore_fixed(const Execution& execution) const;

 private:
  std::int64_t factors_;
  std::int64_t rows_;
  bool rotated_;
  float alpha0_;
  AlignedFloats copy_;                ///< of the fixed factors, where they cannot be used where they are
  const float* rows_data_ = nullptr;  ///< the fixed factors in this basis: there, or in the copy
  MatrixView<float> restored_;        ///< the fixed factors, where they are to be turned back
  AlignedFloats dense_;
  AlignedFloats to_basis_;    ///< column k is the k-th eigenvector
  AlignedFloats from_basis_;  ///< row k is
  std::vector<double> diagonal_;
  double least_ = 0;
  double most_ = 0;
};

}  // namespace recocore
