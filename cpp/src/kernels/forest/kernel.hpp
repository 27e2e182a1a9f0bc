// Kernels of forests whose thresholds are numbered: one function table for each instruction set, chosen once for the
// process. Every function trusts its arguments; results are the same on all.
#pragma once

#include <cstdint>

namespace recocore::kernels {

/// Rows of a block; the codes of a feature are as far apart.
constexpr std::int64_t kCodedRows = 128;
/// Rows that are taken together: what is beyond the last is computed too.
constexpr std::int64_t kCodedTogether = 64;
/// Nodes that may be read beyond the last tree's.
constexpr std::int64_t kCodedSlack = 64;

struct ForestKernels {
  /// The instruction set that the table's own file was compiled for.
  const char* isa;

  /// codes[r] = how many of n >= 1 ascending thresholds are below values[r], for `rows` rounded up to kCodedTogether.
  void (*encode)(const double* thresholds, std::int64_t n, const double* values, std::int64_t rows,
                 std::int32_t* codes) noexcept;

  /// sums[r] += the value of the leaf that row r comes to, for `rows` rounded up to kCodedTogether. The tree is
  /// complete: the children of node k are 2 k + 1 and 2 k + 2, its `height` levels are feature << 16 | number, and a
  /// row goes right where codes[feature * kCodedRows + r] > number.
  void (*add_leaves)(const std::uint32_t* nodes, const double* leaves, int height, const std::int32_t* codes,
                     std::int64_t rows, double* sums) noexcept;
};

extern const ForestKernels forest_scalar;
#if defined(__x86_64__)
extern const ForestKernels forest_avx2;
extern const ForestKernels forest_avx512;
#endif

/// The table of active_isa().
[[nodiscard]] const ForestKernels& forest();

}  // namespace recocore::kernels
