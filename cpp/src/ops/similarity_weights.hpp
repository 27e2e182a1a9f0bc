#pragma once

#include <vector>

#include "recocore/csr.hpp"
#include "recocore/similarity.hpp"

namespace recocore {

/// What a kind puts in the place of a matrix's values before it multiplies them: one float64 a stored entry.
struct EntryWeights {
  std::vector<double> left;   ///< of the row that is compared, in row order
  std::vector<double> right;  ///< of the rows that it is compared with, in column order (as the transpose stores them)
};

/// `transposed` is the transpose of `matrix`. Only for kinds that use values: a kind that counts has no weights.
[[nodiscard]] EntryWeights entry_weights(const CsrView& matrix, const CsrView& transposed,
                                         const SimilarityParams& params);

}  // namespace recocore
