#include "ops/cholesky.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>

#include "base/finite.hpp"

namespace recocore {
namespace {

// Rows that are updated together by the rows above them: what is above is read once for all of them.
constexpr std::int64_t kBlock = 64;

}  // namespace

Solved solve_positive_definite(float* a, std::int64_t lda, float* b, std::int64_t n) {
  using kernels::kLane;
  using kernels::Pivots;
  const auto& k = kernels::least_squares();
  float largest = 0;
  for (std::int64_t i = 0; i < n; ++i) largest = std::max(largest, a[i * lda + i]);
  if (!(largest <= std::numeric_limits<float>::max())) return Solved::overflow;
  // A pivot this far below the largest diagonal element is rounding error of float32, not information.
  const float smallest_pivot = largest * static_cast<float>(n) * std::numeric_limits<float>::epsilon() * 0.01F;
  const std::int64_t width = padded(n);
  for (std::int64_t i = n; i < width; ++i) a[i * lda + i] = largest;

  for (std::int64_t block = 0; block < width; block += kBlock) {
    const std::int64_t end = std::min(block + kBlock, width);
    if (block > 0)
      k.subtract_product(a + block, lda, a + block, lda, block, end - block, width - block, a + block * lda + block,
                         lda);
    for (std::int64_t i = block; i < end; i += kLane) {
      const float* above = a + block * lda + i;
      k.subtract_product(above, lda, above, lda, i - block, kLane, width - i, a + i * lda + i, lda);
      const Pivots pivots = k.factor_rows(a + i * lda + i, lda, width - i, smallest_pivot);
      if (pivots != Pivots::good) return pivots == Pivots::too_small ? Solved::singular : Solved::overflow;
    }
  }
  k.solve_upper(a, lda, width, b);
  return all_finite({b, static_cast<std::size_t>(n)}) ? Solved::yes : Solved::overflow;
}

}  // namespace recocore
