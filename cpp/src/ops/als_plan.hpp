// Which way each row of a half-epoch is solved, and in which order: from the shape of the data alone.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "recocore/als.hpp"

namespace recocore {

struct AlsPlan {
  /// The factors are turned into the eigenbasis of their Gram matrix, where that matrix is diagonal.
  bool rotated = false;
  /// Rows with at most this many entries are solved in the dual; needs the rotated basis.
  std::int64_t dual_limit = 0;
  /// How the others are solved; never automatic.
  AlsSolver others = AlsSolver::cholesky;
  /// Rows with more entries than that are worked on by all threads together, first of all.
  std::int64_t shared_above = std::numeric_limits<std::int64_t>::max();
  /// First the rows for all threads together, then blocks of consecutive rows; in each from the longest to the
  /// shortest, so that no thread is left alone with a long one; ties by row.
  std::vector<std::int32_t> order;
};

[[nodiscard]] AlsPlan plan_half_epoch(const CsrPattern& interactions, std::int64_t factors, const AlsParams& params);

/// Rows longer than `shared_above`, the longest first, then blocks of consecutive rows with `block_entries` entries, in
/// each of which the longest come first; ties by row.
[[nodiscard]] std::vector<std::int32_t> row_order(const CsrPattern& interactions, std::int64_t shared_above,
                                                  std::int64_t block_entries);

/// Floating-point operations of one row's system, for the report: whole numbers, so that their sum does not depend on
/// its order.
[[nodiscard]] double primal_flops(std::int64_t entries, std::int64_t factors) noexcept;
[[nodiscard]] double dual_flops(std::int64_t entries, std::int64_t factors) noexcept;
[[nodiscard]] double subspace_flops(std::int64_t entries, std::int64_t factors, std::int64_t block) noexcept;
[[nodiscard]] double cg_flops(std::int64_t entries, std::int64_t factors, int steps) noexcept;

}  // namespace recocore
