#include "sparse/row_chunks.hpp"

#include <utility>

namespace recocore {

void RowChunks::put(std::int64_t first_row, RowChunk&& chunk, MemoryBudget& budget) {
  constexpr std::int64_t kBytesEachEntry = 2 * (sizeof(std::int32_t) + sizeof(float));
  budget.take(std::ssize(chunk.indices), kBytesEachEntry, "lower k, or raise threshold, for a smaller result");
  chunk.indices.shrink_to_fit();
  chunk.values.shrink_to_fit();
  chunks_[static_cast<std::size_t>(first_row / grain_)] = std::move(chunk);
}

CsrMatrix RowChunks::stitch() {
  CsrMatrix result{rows_, cols_, {}, {}, {}};
  result.indptr.reserve(static_cast<std::size_t>(rows_) + 1);
  result.indptr.push_back(0);
  for (const RowChunk& chunk : chunks_)
    for (const std::int64_t length : chunk.lengths) result.indptr.push_back(result.indptr.back() + length);
  result.indices.reserve(static_cast<std::size_t>(result.indptr.back()));
  result.values.reserve(static_cast<std::size_t>(result.indptr.back()));
  for (RowChunk& chunk : chunks_) {
    result.indices.insert(result.indices.end(), chunk.indices.begin(), chunk.indices.end());
    result.values.insert(result.values.end(), chunk.values.begin(), chunk.values.end());
    chunk = RowChunk{};  // given back as soon as copied, so that the result and its parts are never whole at once
  }
  return result;
}

}  // namespace recocore
