#include "sparse/row_chunks.hpp"

#include <doctest/doctest.h>

#include <utility>

namespace recocore {
namespace {

TEST_CASE("chunks that come in any order are stitched in row order") {
  MemoryBudget budget("test");
  RowChunks chunks(5, 9, 2);
  RowChunk last;
  last.indices = {8};
  last.values = {5.0F};
  last.end_row();
  chunks.put(4, std::move(last), budget);
  RowChunk middle;
  middle.end_row();
  middle.end_row();
  chunks.put(2, std::move(middle), budget);
  RowChunk first;
  first.indices = {1, 3};
  first.values = {1.0F, 2.0F};
  first.end_row();
  first.indices.push_back(0);
  first.values.push_back(3.0F);
  first.end_row();
  chunks.put(0, std::move(first), budget);

  const CsrMatrix matrix = chunks.stitch();
  CHECK(matrix.rows == 5);
  CHECK(matrix.cols == 9);
  CHECK(matrix.indptr == std::vector<std::int64_t>{0, 2, 3, 3, 3, 4});
  CHECK(matrix.indices == std::vector<std::int32_t>{1, 3, 0, 8});
  CHECK(matrix.values == std::vector<float>{1.0F, 2.0F, 3.0F, 5.0F});
}

TEST_CASE("no rows make an empty matrix") {
  const CsrMatrix matrix = RowChunks(0, 4, 8).stitch();
  CHECK(matrix.indptr == std::vector<std::int64_t>{0});
  CHECK(matrix.indices.empty());
}

}  // namespace
}  // namespace recocore
