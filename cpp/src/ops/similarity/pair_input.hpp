#pragma once

#include <cstdint>

#include "ops/similarity/entry_weights.hpp"
#include "ops/similarity/formula.hpp"
#include "ops/similarity/row_order.hpp"
#include "recocore/csr.hpp"
#include "recocore/similarity.hpp"
#include "recocore/thread_pool.hpp"

namespace recocore {

/// What a pass works on; all of it must outlive the pass.
struct PairInput {
  const CsrView& matrix;
  const SimilarityParams& params;
  const EntryWeights& weights;
  const Formula& formula;
  const RowOrder& order;
  const Execution& execution;
};

/// Rows are crowded, and bits pay for their columns, if more than one in so many of their cells is filled; from 50 to
/// 1000 measured alike.
inline constexpr std::int64_t kCrowdedShare = 200;

/// What the bits and the lists of a block may take.
inline constexpr std::int64_t kBitBytesEachThread = std::int64_t{32} * 1024 * 1024;
inline constexpr std::int64_t kListBytesEachThread = std::int64_t{24} * 1024 * 1024;
inline constexpr std::int64_t kBlockBytesEachThread = kBitBytesEachThread + kListBytesEachThread;

}  // namespace recocore
