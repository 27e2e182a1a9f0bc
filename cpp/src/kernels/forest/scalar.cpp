#include "kernels/forest/kernel.hpp"

namespace recocore::kernels {
namespace {

// Searches and ways that advance together, so that their loads overlap.
constexpr std::int64_t kTogether = 16;
static_assert(kCodedTogether % kTogether == 0);

void encode(const double* thresholds, std::int64_t n, const double* values, std::int64_t rows,
            std::int32_t* codes) noexcept {
  for (std::int64_t first = 0; first < rows; first += kTogether) {
    std::int64_t at[kTogether] = {};
    for (std::int64_t length = n; length > 1;) {
      const std::int64_t half = length / 2;
      for (std::int64_t q = 0; q < kTogether; ++q) at[q] += thresholds[at[q] + half - 1] < values[first + q] ? half : 0;
      length -= half;
    }
    for (std::int64_t q = 0; q < kTogether; ++q)
      codes[first + q] = static_cast<std::int32_t>(at[q] + (thresholds[at[q]] < values[first + q] ? 1 : 0));
  }
}

void add_leaves(const std::uint32_t* nodes, const double* leaves, int height, const std::int32_t* codes,
                std::int64_t rows, double* sums) noexcept {
  const std::uint32_t inner = (std::uint32_t{1} << height) - 1;
  for (std::int64_t first = 0; first < rows; first += kTogether) {
    std::uint32_t at[kTogether] = {};
    for (int level = 0; level < height; ++level) {
      for (std::int64_t q = 0; q < kTogether; ++q) {
        const std::uint32_t node = nodes[at[q]];
        const auto code = static_cast<std::uint32_t>(codes[(node >> 16U) * kCodedRows + first + q]);
        at[q] = 2 * at[q] + 1 + (code > (node & 0xFFFFU) ? 1 : 0);
      }
    }
    for (std::int64_t q = 0; q < kTogether; ++q) sums[first + q] += leaves[at[q] - inner];
  }
}

}  // namespace

const ForestKernels forest_scalar{"scalar", encode, add_leaves};

}  // namespace recocore::kernels
