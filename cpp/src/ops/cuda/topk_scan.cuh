// The scan of items by queries: a tile of products, each compared with its query's bound where it was computed, so that
// scores never reach the device's memory; and what it needs to know of the items.
#pragma once

#include <cstdint>

#include "cuda/keys.cuh"
#include "cuda/product_tile.cuh"
#include "ops/cuda/halves.cuh"
#include "ops/cuda/tensor_tile.cuh"

namespace recocore::cuda {

enum class ScoreKind { product, cosine, distance };

/// Which items a query may have. Every list is of items, in rising order.
struct DeviceFilter {
  const unsigned* refused = nullptr;          ///< a bit an item that nobody may have; null for none
  const long long* excluded_begin = nullptr;  ///< [queries + 1]; null for none
  const std::int32_t* excluded = nullptr;
};

__device__ inline bool is_listed(const std::int32_t* list, long long begin, long long end, std::int32_t item) {
  while (begin < end) {
    const long long middle = begin + (end - begin) / 2;
    if (list[middle] < item) {
      begin = middle + 1;
    } else if (list[middle] > item) {
      end = middle;
    } else {
      return true;
    }
  }
  return false;
}

__device__ inline bool admits(const DeviceFilter& filter, std::int64_t query, std::int32_t item) {
  if (filter.refused != nullptr && (filter.refused[item / 32] >> (item % 32) & 1U) != 0) return false;
  return filter.excluded_begin == nullptr ||
         !is_listed(filter.excluded, filter.excluded_begin[query], filter.excluded_begin[query + 1], item);
}

/// Items [first, first + count), whose rows `values` begins with.
struct ItemRows {
  const float* values = nullptr;
  std::int64_t stride = 0;
  std::int64_t first = 0;
  std::int64_t count = 0;
  const float* biases = nullptr;   ///< of all items; null for none
  const float* lengths = nullptr;  ///< of these rows; for cosines
};

/// The candidates found so far of each query.
struct Candidates {
  Key* keys = nullptr;
  std::int64_t capacity = 0;    ///< of each query
  unsigned* counts = nullptr;   ///< [queries]
  const Key* bounds = nullptr;  ///< [queries] what a key has to reach
};

struct QueryRows {
  const float* values = nullptr;
  std::int64_t stride = 0;
  std::int64_t count = 0;
  std::int64_t width = 0;  ///< f, of the items too
};

/// The score from the sum over the factors. `row` counts from the items' first.
template <ScoreKind kind>
__device__ float finished_score(float sum, const float* query, const ItemRows& items, std::int64_t row,
                                std::int64_t width) {
  float score = kind == ScoreKind::distance ? -sum : sum;
  if constexpr (kind == ScoreKind::cosine) {
    const float length = items.lengths[row];
    if (length > 8.271806e-25F && length <= 1e37F) {  // 2^-80, and where no sum can overflow
      score = sum / length;
    } else {  // products of the smallest floats lose their digits
      double exact = 0;
      double squared = 0;
      for (std::int64_t d = 0; d < width; ++d) {
        const double value = items.values[row * items.stride + d];
        exact += query[d] * value;
        squared += value * value;
      }
      score = squared > 0 ? static_cast<float>(exact / sqrt(squared)) : 0.0F;
    }
  }
  return items.biases == nullptr ? score : score + items.biases[items.first + row];
}

/// Adds the keys of the lanes that pass, all lanes of a half warp having the same query: one addition for all of them.
__device__ inline void append(bool passes, Key key, std::int64_t query, const Candidates& found) {
  const unsigned passing = __ballot_sync(kAllLanes, passes);
  if (passing == 0) return;
  const unsigned lane = lane_id();
  const unsigned mine = passing & (lane < 16 ? 0x0000ffffU : 0xffff0000U);
  const unsigned leader = mine == 0 ? lane : static_cast<unsigned>(__ffs(mine)) - 1;
  unsigned place = 0;
  if (mine != 0 && lane == leader) place = atomicAdd(&found.counts[query], static_cast<unsigned>(__popc(mine)));
  place = __shfl_sync(kAllLanes, place, static_cast<int>(leader));
  if (passes)
    found.keys[query * found.capacity + place + static_cast<unsigned>(__popc(mine & ((1U << lane) - 1)))] = key;
}

/// Positions [begin, end) of `listed`, or of the rows where that is null: their scores against all queries.
template <ScoreKind kind>
__global__ void __launch_bounds__(kThreads)
    scan_floats(QueryRows queries, ItemRows items, const std::int32_t* listed, std::int64_t begin, std::int64_t end,
                DeviceFilter filter, Candidates found) {
  RECOCORE_SHARED(float, shared, kTileFloats);
  const std::int64_t query_tiles = (queries.count + kTile - 1) / kTile;
  const std::int64_t item_tiles = (end - begin + kTile - 1) / kTile;
  for (std::int64_t tile = blockIdx.x; tile < query_tiles * item_tiles; tile += gridDim.x) {
    const std::int64_t first_query = tile % query_tiles * kTile;
    const std::int64_t first = begin + tile / query_tiles * kTile;
    const auto row_of = [&](std::int64_t position) {
      return listed == nullptr ? position : static_cast<std::int64_t>(listed[position]) - items.first;
    };
    float sums[kEach][kEach] = {};
    add_product<Along::depth, Along::depth, kind == ScoreKind::distance>(
        sums, shared, queries.width,
        [&](int r, std::int64_t d) {
          const std::int64_t q = first_query + r;
          return q < queries.count ? queries.values[q * queries.stride + d] : 0.0F;
        },
        [&](int r, std::int64_t d) {
          const std::int64_t position = first + r;
          return position < end ? items.values[row_of(position) * items.stride + d] : 0.0F;
        });
    RECOCORE_UNROLL for (int i = 0; i < kEach; ++i) {
      const std::int64_t q = first_query + tile_row() + i;
      const bool is_query = q < queries.count;
      const Key bound = is_query ? found.bounds[q] : 0;
      RECOCORE_UNROLL for (int j = 0; j < kEach; ++j) {
        const std::int64_t position = first + tile_column() + j;
        bool passes = is_query && position < end;
        Key key = 0;
        if (passes) {
          const std::int64_t row = row_of(position);
          const auto item = static_cast<std::int32_t>(items.first + row);
          const float score =
              finished_score<kind>(sums[i][j], queries.values + q * queries.stride, items, row, queries.width);
          key = key_of(score, item);
          passes = score == score && key >= bound && admits(filter, q, item);
        }
        append(passes, key, q, found);
      }
    }
  }
}

/// Rows in sixteen bits, how much of each that loses, and their lengths: bounds from above. `values` has rows of the
/// width, one after the other.
template <typename Half>
struct HalfRows {
  const Half* values = nullptr;
  const float* lost = nullptr;
  const float* lengths = nullptr;
};

/// The same over sixteen-bit items: what their bound lets through is scored in float32, with the same rounding as by
/// scan_floats. On tensor cores queries have sixteen bits too. Inner products alone.
template <typename Half, bool kTensor>
__global__ void __launch_bounds__(kThreads)
    scan_halves(QueryRows queries, HalfRows<Half> query_halves, ItemRows items, HalfRows<Half> halves,
                const std::int32_t* listed, std::int64_t begin, std::int64_t end, DeviceFilter filter,
                Candidates found) {
  const std::int64_t width = queries.width;
  const std::int64_t query_tiles = (queries.count + kTile - 1) / kTile;
  const std::int64_t item_tiles = (end - begin + kTile - 1) / kTile;
  // What the sums of both ways are off by, relative to the lengths: 2^-24 a step in float32. Tensor cores align sixteen
  // products before they add them, and cut: 2^-21 holds with room. And they may take the smallest floats for zero.
  const float rounding =
      static_cast<float>(width + (kTensor ? 16 : 2)) * (kTensor ? 4.76837158203125e-07F : 1.1920928955078125e-07F);
  const float smallest = kTensor ? static_cast<float>(width) * 2.4e-38F : 1e-40F;
  for (std::int64_t tile = blockIdx.x; tile < query_tiles * item_tiles; tile += gridDim.x) {
    const std::int64_t first_query = tile % query_tiles * kTile;
    const std::int64_t first = begin + tile / query_tiles * kTile;
    const auto row_of = [&](std::int64_t position) {
      return listed == nullptr ? position : static_cast<std::int64_t>(listed[position]) - items.first;
    };
    const auto half_of = [&](int r, std::int64_t d) {
      const std::int64_t position = first + r;
      return position < end ? halves.values[row_of(position) * width + d] : Half{0};
    };
    float sums[kEach][kEach] = {};
    if constexpr (kTensor) {
      RECOCORE_SHARED(unsigned, words, kTensorWords);
      RECOCORE_SHARED(float, passed, kTensorSums);
      const auto query_half_of = [&](int r, std::int64_t d) {
        const std::int64_t q = first_query + r;
        return q < queries.count ? query_halves.values[q * width + d] : Half{0};
      };
      multiply_halves<Half>(sums, words, passed, width, query_half_of, half_of);
    } else {
      RECOCORE_SHARED(float, shared, kTileFloats);
      add_product<Along::depth, Along::depth>(
          sums, shared, width,
          [&](int r, std::int64_t d) {
            const std::int64_t q = first_query + r;
            return q < queries.count ? queries.values[q * queries.stride + d] : 0.0F;
          },
          [&](int r, std::int64_t d) { return widened(half_of(r, d)); });
    }
    RECOCORE_UNROLL for (int i = 0; i < kEach; ++i) {
      const std::int64_t q = first_query + tile_row() + i;
      const bool is_query = q < queries.count;
      const Key bound = is_query ? found.bounds[q] : 0;
      const float query_length = is_query ? query_halves.lengths[q] : 0.0F;
      const float query_lost = is_query && kTensor ? query_halves.lost[q] : 0.0F;
      RECOCORE_UNROLL for (int j = 0; j < kEach; ++j) {
        const std::int64_t position = first + tile_column() + j;
        bool passes = is_query && position < end;
        Key key = 0;
        if (passes) {
          const std::int64_t row = row_of(position);
          const auto item = static_cast<std::int32_t>(items.first + row);
          const float bias = items.biases == nullptr ? 0.0F : items.biases[item];
          const float lost = halves.lost[row];
          const float length = halves.lengths[row];
          // By Cauchy and Schwarz: what the query loses by the item, what is left of it by what the item loses.
          const float off =
              query_lost * length + (query_length + query_lost) * (lost + rounding * (length + lost)) + smallest;
          const float most = sums[i][j] + off + bias;
          // The rounding of the last sums; and what is no number, or may have overflowed on the way, may be anything.
          passes = (!(most + 1.2e-7F * (fabsf(most) + fabsf(bias)) < score_of_key(bound)) ||
                    !(query_length * length < 1e37F)) &&
                   admits(filter, q, item);
          if (passes) {
            const float* query = queries.values + q * queries.stride;
            const float* values = items.values + row * items.stride;
            float sum = 0;
            for (std::int64_t d = 0; d < width; ++d) sum = fmaf(query[d], values[d], sum);
            const float score = finished_score<ScoreKind::product>(sum, query, items, row, width);
            key = key_of(score, item);
            passes = score == score && key >= bound;
          }
        }
        append(passes, key, q, found);
      }
    }
  }
}

/// Scores each query's own list, which holds at most as many as `found` has room for in this stretch: entries
/// [first, first + most) of each list.
template <ScoreKind kind>
__global__ void __launch_bounds__(kThreads)
    scan_lists(QueryRows queries, ItemRows items, const long long* list_begin, const std::int32_t* list,
               std::int64_t first, std::int64_t most, DeviceFilter filter, Candidates found) {
  for (std::int64_t q = blockIdx.x; q < queries.count; q += gridDim.x) {
    const float* query = queries.values + q * queries.stride;
    const std::int64_t begin = list_begin[q] + first;
    const std::int64_t length = list_begin[q + 1] - begin;
    const std::int64_t end = begin + (length < most ? length : most);
    const Key bound = found.bounds[q];
    for (std::int64_t e = begin + threadIdx.x; e < end; e += kThreads) {
      const std::int64_t row = list[e] - items.first;
      if (row < 0 || row >= items.count || !admits(filter, q, list[e])) continue;
      const float* values = items.values + row * items.stride;
      float sum = 0;
      for (std::int64_t d = 0; d < queries.width; ++d) {
        const float difference = query[d] - values[d];
        sum = kind == ScoreKind::distance ? fmaf(difference, difference, sum) : fmaf(query[d], values[d], sum);
      }
      const float score = finished_score<kind>(sum, query, items, row, queries.width);
      const Key key = key_of(score, list[e]);
      if (score == score && key >= bound) found.keys[q * found.capacity + atomicAdd(&found.counts[q], 1U)] = key;
    }
  }
}

/// What a query's candidates have to reach at first: its threshold, or nothing.
__global__ void __launch_bounds__(kThreads) start_bounds(const float* thresholds, Key* bounds, std::int64_t queries) {
  for (std::int64_t first = std::int64_t{blockIdx.x} * kThreads; first < queries;
       first += std::int64_t{gridDim.x} * kThreads) {
    const std::int64_t q = first + threadIdx.x;
    if (q < queries) bounds[q] = thresholds == nullptr ? 0 : least_key_of(thresholds[q]);
  }
}

/// Leaves the k best candidates of each query that has more, and raises its bound to what the next have to reach.
__global__ void __launch_bounds__(kThreads)
    keep_best(Candidates found, Key* bounds, std::int64_t queries, std::int64_t k) {
  RECOCORE_SHARED(SelectScratch, scratch, 1);
  for (std::int64_t q = blockIdx.x; q < queries; q += gridDim.x) {
    Key* keys = found.keys + q * found.capacity;
    const std::int64_t n = found.counts[q];
    if (n <= k) continue;
    const Key bound = bound_of_best(keys, n, k, *scratch);
    keep_reaching(keys, n, bound, *scratch);
    if (is_first_thread()) {
      found.counts[q] = static_cast<unsigned>(k);
      bounds[q] = bound;
    }
  }
}

/// Sorts each query's candidates, of which it has at most k, and writes them with padding behind.
__global__ void __launch_bounds__(kThreads)
    write_best(Candidates found, std::int64_t queries, std::int64_t k, std::int32_t* ids, std::int64_t ids_stride,
               float* scores, std::int64_t scores_stride) {
  constexpr std::int64_t kShared = 1024;
  RECOCORE_SHARED(Key, sorted, kShared);
  for (std::int64_t q = blockIdx.x; q < queries; q += gridDim.x) {
    Key* const kept = found.keys + q * found.capacity;
    const std::int64_t n = found.counts[q];
    std::int64_t power = 1;
    while (power < n) power *= 2;
    Key* keys = power <= kShared ? sorted : kept;
    __syncthreads();
    for (std::int64_t i = threadIdx.x; i < power; i += kThreads) keys[i] = i < n ? kept[i] : 0;
    sort_keys(keys, power);
    for (std::int64_t i = threadIdx.x; i < k; i += kThreads) {
      ids[q * ids_stride + i] = i < n ? id_of_key(keys[i]) : -1;
      scores[q * scores_stride + i] = i < n ? score_of_key(keys[i]) : -INFINITY;
    }
  }
}

/// One block a row: its length, in float32 after float64 sums.
__global__ void __launch_bounds__(kThreads)
    row_lengths(const float* rows, std::int64_t stride, std::int64_t count, std::int64_t width, float* lengths) {
  RECOCORE_SHARED(double, scratch, kThreads);
  for (std::int64_t r = blockIdx.x; r < count; r += gridDim.x) {
    double squared = 0;
    for (std::int64_t d = threadIdx.x; d < width; d += kThreads) {
      const double value = rows[r * stride + d];
      squared += value * value;
    }
    squared = sum_of_block(squared, scratch);
    if (is_first_thread()) lengths[r] = static_cast<float>(sqrt(squared));
  }
}

/// One block a row: its halves, and bounds on |row - halves| and on its length.
template <typename Half>
__global__ void __launch_bounds__(kThreads) narrow_rows(const float* rows, std::int64_t stride, std::int64_t count,
                                                        std::int64_t width, Half* halves, float* lost, float* lengths) {
  RECOCORE_SHARED(double, scratch, kThreads);
  for (std::int64_t r = blockIdx.x; r < count; r += gridDim.x) {
    double off_squared = 0;
    double squared = 0;
    for (std::int64_t d = threadIdx.x; d < width; d += kThreads) {
      const float value = rows[r * stride + d];
      Half half{};
      narrow(value, half);
      if (!(fabsf(widened(half)) <= 3.0e38F)) half.bits = 0;  // beyond what it holds: all of it is lost
      halves[r * width + d] = half;
      const double off = static_cast<double>(value) - static_cast<double>(widened(half));
      off_squared += off * off;
      squared += static_cast<double>(value) * static_cast<double>(value);
    }
    off_squared = sum_of_block(off_squared, scratch);
    squared = sum_of_block(squared, scratch);
    // Rounded up, with room for the roundings of what is made of them.
    if (is_first_thread()) {
      lost[r] = static_cast<float>(1.000001 * sqrt(off_squared)) + 1e-30F;
      lengths[r] = static_cast<float>(1.000001 * sqrt(squared)) + 1e-30F;
    }
  }
}

/// The first row with a value that is not finite, or `count`.
__global__ void __launch_bounds__(kThreads) find_not_finite(const float* rows, std::int64_t stride, std::int64_t count,
                                                            std::int64_t width, unsigned long long* found) {
  for (std::int64_t r = blockIdx.x; r < count; r += gridDim.x)
    for (std::int64_t d = threadIdx.x; d < width; d += kThreads)
      if (!(fabsf(rows[r * stride + d]) <= 3.4028234663852886e38F))
        atomicMin(found, static_cast<unsigned long long>(r));
}

/// scores[q][i] of every pair.
__global__ void __launch_bounds__(kThreads)
    score_pairs(QueryRows queries, ItemRows items, float* scores, std::int64_t scores_stride) {
  RECOCORE_SHARED(float, shared, kTileFloats);
  const std::int64_t query_tiles = (queries.count + kTile - 1) / kTile;
  const std::int64_t item_tiles = (items.count + kTile - 1) / kTile;
  for (std::int64_t tile = blockIdx.x; tile < query_tiles * item_tiles; tile += gridDim.x) {
    const std::int64_t first_query = tile % query_tiles * kTile;
    const std::int64_t first = tile / query_tiles * kTile;
    float sums[kEach][kEach] = {};
    add_product<Along::depth, Along::depth>(
        sums, shared, queries.width,
        [&](int r, std::int64_t d) {
          const std::int64_t q = first_query + r;
          return q < queries.count ? queries.values[q * queries.stride + d] : 0.0F;
        },
        [&](int r, std::int64_t d) {
          const std::int64_t row = first + r;
          return row < items.count ? items.values[row * items.stride + d] : 0.0F;
        });
    RECOCORE_UNROLL for (int i = 0; i < kEach; ++i) RECOCORE_UNROLL for (int j = 0; j < kEach; ++j) {
      const std::int64_t q = first_query + tile_row() + i;
      const std::int64_t row = first + tile_column() + j;
      if (q < queries.count && row < items.count) scores[q * scores_stride + row] = sums[i][j];
    }
  }
}

}  // namespace recocore::cuda
