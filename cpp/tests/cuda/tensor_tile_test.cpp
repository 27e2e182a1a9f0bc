// The tile of tensor cores, with their one instruction done by shuffles: every sum against float64.
#include "ops/cuda/tensor_tile.cuh"

#include <doctest/doctest.h>

#include <vector>

#include "cuda/made.hpp"

namespace recocore::cuda {
namespace {

template <typename Half>
__global__ void multiply(const Half* left, const Half* right, std::int64_t depth, float* out) {
  RECOCORE_SHARED(unsigned, words, kTensorWords);
  RECOCORE_SHARED(float, passed, kTensorSums);
  float sums[kEach][kEach] = {};
  multiply_halves<Half>(
      sums, words, passed, depth, [&](int r, std::int64_t d) { return left[r * depth + d]; },
      [&](int r, std::int64_t d) { return right[r * depth + d]; });
  for (int i = 0; i < kEach; ++i)
    for (int j = 0; j < kEach; ++j) out[(tile_row() + i) * kTile + tile_column() + j] = sums[i][j];
}

template <typename Half>
std::vector<Half> narrowed(const std::vector<float>& values) {
  std::vector<Half> halves(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) narrow(values[i], halves[i]);
  return halves;
}

template <typename Half>
void check(std::int64_t depth) {
  const auto left = narrowed<Half>(reals(kTile * depth, 1));
  const auto right = narrowed<Half>(reals(kTile * depth, 2));
  std::vector<float> found(kTile * kTile, NAN);
  launch(multiply<Half>, 1, 0, left.data(), right.data(), depth, found.data());
  std::vector<float> expected;
  for (std::int64_t r = 0; r < kTile; ++r)
    for (std::int64_t c = 0; c < kTile; ++c) {
      double sum = 0;
      for (std::int64_t d = 0; d < depth; ++d)
        sum += static_cast<double>(widened(left[static_cast<std::size_t>(r * depth + d)])) *
               static_cast<double>(widened(right[static_cast<std::size_t>(c * depth + d)]));
      expected.push_back(static_cast<float>(sum));
    }
  CHECK(difference(found, expected) < 1e-5);
}

}  // namespace

TEST_CASE("every sum of a tile is in its place, at depths around those of an instruction") {
  for (const std::int64_t depth : {1, 16, 33}) {
    check<Float16>(depth);
    check<Bfloat16>(depth);
  }
}

}  // namespace recocore::cuda
