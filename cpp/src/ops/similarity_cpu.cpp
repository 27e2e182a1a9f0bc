#include "ops/similarity_cpu.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <optional>

#include "ops/similarity/pair_pass.hpp"
#include "ops/similarity/small_integers.hpp"
#include "recocore/memory.hpp"

namespace recocore {
namespace {

/// Whether no sum of products of such integers passes 32 bits.
bool sums_fit(const CsrView& matrix, const SmallIntegers& integers) {
  std::size_t longest = 0;
  for (std::int64_t r = 0; r < matrix.rows; ++r) longest = std::max(longest, matrix.row(r).size());
  return longest <= std::numeric_limits<std::uint32_t>::max() / static_cast<std::size_t>(integers.most * integers.most);
}

}  // namespace

CsrMatrix similarity_cpu(const CsrView& matrix, const SimilarityParams& params,
                         const std::optional<std::span<const std::int32_t>>& rows, const Execution& execution) {
  MemoryBudget budget("similarity");
  const EntryWeights weights(matrix, params);
  const Formula formula(matrix, weights, params);
  const PairInput input{matrix, params, weights, formula, execution};
  switch (sums_needed(params.kind)) {
    case SumsNeeded::counts: return PairPass<CountMode>(input, 1, 1.0F, 1.0).run(rows, budget);
    case SumsNeeded::moments: return PairPass<MomentMode>(input, 0, 1.0F, 1.0).run(rows, budget);
    case SumsNeeded::products: break;
  }
  if (!weights.are_values()) return PairPass<DoubleMode>(input, 0, 1.0F, 1.0).run(rows, budget);
  if (const auto integers = SmallIntegers::find(matrix.values); integers && sums_fit(matrix, *integers)) {
    const auto scale = static_cast<float>(integers->scale);
    if (integers->alike) {
      const double value = matrix.values.front();
      return PairPass<CountMode>(input, 1, 1.0F, value * value).run(rows, budget);
    }
    const int planes = std::bit_width(static_cast<unsigned>(integers->most));
    return PairPass<IntegerMode>(input, planes, scale, 1.0 / (scale * scale)).run(rows, budget);
  }
  return PairPass<FloatMode>(input, 0, 1.0F, 1.0).run(rows, budget);
}

}  // namespace recocore
