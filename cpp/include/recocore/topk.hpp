#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "recocore/filter.hpp"
#include "recocore/thread_pool.hpp"
#include "recocore/views.hpp"

namespace recocore {

/// What the score of a query q and an item y is.
enum class Metric : std::uint8_t {
  inner_product,  ///< q.y
  cosine,         ///< q.y / |y|, 0 for an item of zeros; the caller scales queries to length 1
  euclidean,      ///< -|q - y|^2, minus the squared distance
};

/// Items as 8-bit codes, longest first; views of arrays that somebody else owns. The codes bound every score from above
/// and below, so that a scan of them, a quarter of the size, leaves few items for which the floats are looked at.
struct ItemCodes {
  std::span<const std::int32_t> order;      ///< [m] the item at each position, lengths falling
  std::span<const std::int32_t> positions;  ///< [m] the position of each item
  MatrixView<const std::int8_t> codes;      ///< [m, s], s a multiple of 64 and at least f; by position, as is the rest
  std::span<const std::int32_t> code_sums;  ///< [m]
  std::span<const float> inverse_scales;    ///< [m] item = code / inverse scale, nearly
  std::span<const float> errors;            ///< [m] the length of what the codes leave out, and room for rounding
  std::span<const float> norms;             ///< [m] the length of what the codes hold
  std::span<const float> lengths;           ///< [m] falling
};

/// The same, owning its memory.
struct OwnedItemCodes {
  std::vector<std::int32_t> order;
  std::vector<std::int32_t> positions;
  std::vector<std::int8_t> codes;
  std::int64_t stride = 0;
  std::vector<std::int32_t> code_sums;
  std::vector<float> inverse_scales;
  std::vector<float> errors;
  std::vector<float> norms;
  std::vector<float> lengths;

  [[nodiscard]] ItemCodes view() const noexcept;
};

/// Packs items `[m, f]`. O(m f) time, m (f + 36) bytes at least. Throws Error{invalid_argument} for a value that is not
/// finite, naming its row, and Error{unsupported} where a length overflows float32.
[[nodiscard]] OwnedItemCodes pack_items(MatrixView<const float> items, const Execution& execution);

/// Throws Error{corrupt} unless the arrays fit each other and `items`, the orders are permutations and the bounds are
/// bounds. O(m).
void validate(const ItemCodes& codes, MatrixView<const float> items);

/// How scores are found; the answer is the same.
enum class Precision : std::uint8_t {
  automatic,  ///< by 8-bit codes where that is faster
  float32,    ///< by floats alone
  float16,    ///< CUDA: by items in 16 bits, whose bounds leave few pairs to score in float32
  bfloat16,   ///< the same, with the range of float32 and three bits less
};

/// What is searched, and how.
struct TopkProblem {
  MatrixView<const float> queries;  ///< [n, f]
  MatrixView<const float> items;    ///< [m, f]
  Metric metric = Metric::inner_product;
  std::span<const float> biases;      ///< [m] added to the items' scores, or empty
  std::span<const float> thresholds;  ///< [n] the least score that may come back for each query, or empty
  const ItemCodes* codes = nullptr;   ///< the items packed, whose owner vouches for both; or null, for inner products
  Precision precision = Precision::automatic;
};

/// The k items with the largest score for each query: score descending, then id ascending; id -1 and score -inf where
/// fewer than k items pass the filter and the threshold. A score that overflows to NaN is never returned.
///
/// `ids` and `scores` are [n, k] with any k >= 0. The answer is exact: it is that of scoring every pair in float32,
/// whatever the precision, the threads and the packing. O(n m f) time at worst; memory O(k) a query in work and m / 8
/// bytes a thread where there is a filter. Throws Error{invalid_argument} for shapes that do not fit, and for a value
/// that is not finite, naming its row; packed items are not looked at again.
void topk(const TopkProblem& problem, const CandidateFilter& filter, MatrixView<std::int32_t> ids,
          MatrixView<float> scores, const Execution& execution);

/// The inner product of each query with each item, `scores` [n, m]. O(n * m * f).
void score_all(MatrixView<const float> queries, MatrixView<const float> items, MatrixView<float> scores,
               const Execution& execution);

}  // namespace recocore
