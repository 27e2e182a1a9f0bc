// The rows of a sparse result, computed in chunks by any thread and stitched in row order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "recocore/csr.hpp"
#include "recocore/memory.hpp"

namespace recocore {

/// A run of rows whose lengths are known only once they are computed.
struct RowChunk {
  std::vector<std::int64_t> lengths;
  std::vector<std::int32_t> indices;
  std::vector<float> values;

  /// Ends the current row: what came since the last end.
  void end_row() {
    lengths.push_back(std::ssize(indices) - ended_);
    ended_ = std::ssize(indices);
  }

 private:
  std::int64_t ended_ = 0;
};

/// Chunks in row order. Different threads may fill different chunks at once.
class RowChunks {
 public:
  /// Chunk c holds rows [c * grain, (c + 1) * grain).
  RowChunks(std::int64_t rows, std::int64_t cols, std::int64_t grain)
      : rows_(rows), cols_(cols), grain_(grain), chunks_(static_cast<std::size_t>((rows + grain - 1) / grain)) {}

  /// Stores the rows that start at `first_row`, once the budget allows for them and for their stitched copy.
  void put(std::int64_t first_row, RowChunk&& chunk, MemoryBudget& budget);

  /// The whole matrix; every chunk must be there and is used up.
  [[nodiscard]] CsrMatrix stitch();

 private:
  std::int64_t rows_;
  std::int64_t cols_;
  std::int64_t grain_;
  std::vector<RowChunk> chunks_;
};

}  // namespace recocore
