// Rows of a sparse product, each summed up, scored and selected by one block: sums in a hash table in shared memory for
// rows that meet few partners, in a dense array for the others.
#pragma once

#include <cstdint>

#include "cuda/keys.cuh"
#include "ops/cuda/pair_scores.cuh"

namespace recocore::cuda {

/// What is summed over the columns that a row and a partner share.
enum class PairKind {
  counts,    ///< their number: whole numbers, in any order
  products,  ///< and the products of the weights, in the order of the columns
  moments,   ///< and the weights of either side, and their squares
};

__host__ __device__ constexpr int doubles_of(PairKind kind) {
  return kind == PairKind::counts ? 0 : kind == PairKind::products ? 1 : 5;
}

/// Slots of a table: 24 to 32 KB of shared memory.
__host__ __device__ constexpr std::int64_t slots_of(PairKind kind) {
  return kind == PairKind::counts ? 4096 : kind == PairKind::products ? 2048 : 512;
}

/// The rows of a launch; entries with the weights that their products take.
struct LeftRows {
  const std::int32_t* numbers = nullptr;  ///< [rows] of each row, for the formula
  const long long* begin = nullptr;       ///< [rows + 1]
  const std::int32_t* columns = nullptr;
  const double* weights = nullptr;
};

/// The partners of each column.
struct RightColumns {
  const long long* begin = nullptr;
  const std::int32_t* partners = nullptr;
  const double* weights = nullptr;
  std::int64_t partners_count = 0;
};

struct Selection {
  std::int64_t k = 0;
  double min_support = 1;
  Key least = 0;
  bool keeps_self = false;
  bool keeps_zero = false;
};

/// Where the best of each row go: places[r] on, counts[r] of them, in no particular order.
struct RowResults {
  const long long* places = nullptr;
  Key* keys = nullptr;
  std::int32_t* counts = nullptr;
};

/// Which rows of `left` a launch takes, and what its blocks work in, each in its own.
struct RowTask {
  const std::int32_t* rows = nullptr;
  std::int64_t count = 0;
  Key* candidates = nullptr;
  std::int64_t capacity = 0;        ///< candidates of a block
  unsigned* counts = nullptr;       ///< of partners, zero: [partners] a block
  double* sums = nullptr;           ///< [doubles, partners] a block
  std::int32_t* touched = nullptr;  ///< [partners] a block
};

/// The sums of one row's partners in the arrays that a block was given.
template <PairKind kind>
struct Accumulator {
  std::int32_t* keys;  ///< of a table's slots, -1 where free; null where a slot is the partner's number
  unsigned* counts;
  double* sums;  ///< [doubles, slots]
  std::int64_t slots;
  std::int32_t* touched;
  unsigned* touched_count;

  /// The slot of a partner; a table always has a free one.
  __device__ std::int64_t slot_of(std::int32_t partner) const {
    if (keys == nullptr) return partner;
    auto slot = static_cast<std::int64_t>(static_cast<unsigned>(partner) * 2654435761U % static_cast<unsigned>(slots));
    for (;;) {
      const std::int32_t there = atomicCAS(&keys[slot], -1, partner);
      if (there == -1 || there == partner) return slot;
      slot = slot + 1 < slots ? slot + 1 : 0;
    }
  }

  /// One more common column. Partners of a column differ, so only counts, which take columns together, may meet.
  __device__ void add(std::int32_t partner, double x, double y) const {
    const std::int64_t slot = slot_of(partner);
    if constexpr (kind == PairKind::counts) {
      note(slot, atomicAdd(&counts[slot], 1U));
    } else {
      note(slot, counts[slot]++);
      add_to(0, slot, __dmul_rn(x, y));
      if constexpr (kind == PairKind::moments) {
        add_to(1, slot, x);
        add_to(2, slot, y);
        add_to(3, slot, __dmul_rn(x, x));
        add_to(4, slot, __dmul_rn(y, y));
      }
    }
  }

  __device__ PairTotals totals(std::int64_t slot) const {
    PairTotals found;
    found.n = counts[slot];
    found.xy = kind == PairKind::counts ? found.n : sums[slot];
    if constexpr (kind == PairKind::moments) {
      found.x = sums[slots + slot];
      found.y = sums[2 * slots + slot];
      found.xx = sums[3 * slots + slot];
      found.yy = sums[4 * slots + slot];
    }
    return found;
  }

  __device__ void clear(std::int64_t slot) const {
    counts[slot] = 0;
    for (int d = 0; d < doubles_of(kind); ++d) sums[d * slots + slot] = 0;
  }

 private:
  __device__ void note(std::int64_t slot, unsigned before) const {
    if (before == 0) touched[atomicAdd(touched_count, 1U)] = static_cast<std::int32_t>(slot);
  }
  __device__ void add_to(int which, std::int64_t slot, double value) const {
    double& sum = sums[which * slots + slot];
    sum = __dadd_rn(sum, value);
  }
};

/// Sums up what row r shares with its partners. Counts take a warp a column; the others a column after the other, so
/// that every sum is in the order of the columns.
template <PairKind kind>
__device__ void sum_up(const LeftRows& left, const RightColumns& right, std::int64_t r,
                       const Accumulator<kind>& accumulator) {
  const long long begin = left.begin[r];
  const long long end = left.begin[r + 1];
  if constexpr (kind == PairKind::counts) {
    for (long long e = begin + threadIdx.x / 32; e < end; e += kThreads / 32) {
      const std::int32_t column = left.columns[e];
      for (long long p = right.begin[column] + lane_id(); p < right.begin[column + 1]; p += 32)
        accumulator.add(right.partners[p], 1, 1);
    }
    __syncthreads();
  } else {
    for (long long e = begin; e < end; ++e) {
      const std::int32_t column = left.columns[e];
      for (long long p = right.begin[column] + threadIdx.x; p < right.begin[column + 1]; p += kThreads)
        accumulator.add(right.partners[p], left.weights[e], right.weights[p]);
      __syncthreads();
    }
  }
}

/// The candidates among the touched slots, in `candidates`; `count` is zero before. Slots are clear afterwards.
template <PairKind kind>
__device__ void score_touched(const Accumulator<kind>& accumulator, const PairFormula& formula,
                              const Selection& selection, std::int32_t i, Key* candidates, unsigned* count) {
  const unsigned touched = *accumulator.touched_count;
  for (unsigned t = threadIdx.x; t < touched; t += kThreads) {
    const std::int64_t slot = accumulator.touched[t];
    const std::int32_t partner = accumulator.keys == nullptr ? static_cast<std::int32_t>(slot) : accumulator.keys[slot];
    const PairTotals sums = accumulator.totals(slot);
    accumulator.clear(slot);
    if (accumulator.keys != nullptr) accumulator.keys[slot] = -1;
    if (sums.n < selection.min_support || (partner == i && !selection.keeps_self)) continue;
    const float score = score_of_pair(formula, sums, i, partner);
    if (score != score || (score == 0 && !selection.keeps_zero)) continue;
    const Key key = key_of(score, partner);
    if (key >= selection.least) candidates[atomicAdd(count, 1U)] = key;
  }
}

template <PairKind kind, bool is_table>
__global__ void __launch_bounds__(kThreads) select_partners(LeftRows left, RightColumns right, PairFormula formula,
                                                            Selection selection, RowTask task, RowResults results) {
  constexpr std::int64_t kSlots = is_table ? slots_of(kind) : 1;
  constexpr std::int64_t kDoubles = doubles_of(kind) == 0 ? 1 : doubles_of(kind) * kSlots;
  RECOCORE_SHARED(std::int32_t, table_keys, kSlots);
  RECOCORE_SHARED(unsigned, table_counts, kSlots);
  RECOCORE_SHARED(double, table_sums, kDoubles);
  RECOCORE_SHARED(SelectScratch, scratch, 1);
  RECOCORE_SHARED(unsigned, counters, 2);  // touched slots, candidates
  const std::int64_t partners = right.partners_count;
  Accumulator<kind> accumulator{nullptr, nullptr, nullptr, partners, nullptr, counters};
  accumulator.touched = task.touched + blockIdx.x * (is_table ? kSlots : partners);
  if constexpr (is_table) {
    accumulator.keys = table_keys;
    accumulator.counts = table_counts;
    accumulator.sums = table_sums;
    accumulator.slots = kSlots;
    for (std::int64_t slot = threadIdx.x; slot < kSlots; slot += kThreads) {
      table_keys[slot] = -1;
      accumulator.clear(slot);
    }
  } else {
    accumulator.counts = task.counts + blockIdx.x * partners;
    accumulator.sums = task.sums + blockIdx.x * partners * doubles_of(kind);
  }
  Key* const candidates = task.candidates + blockIdx.x * task.capacity;
  for (std::int64_t at = blockIdx.x; at < task.count; at += gridDim.x) {
    const std::int32_t r = task.rows[at];
    __syncthreads();
    if (is_first_thread()) counters[0] = counters[1] = 0;
    __syncthreads();
    sum_up(left, right, r, accumulator);
    score_touched(accumulator, formula, selection, left.numbers[r], candidates, &counters[1]);
    __syncthreads();
    std::int64_t kept = counters[1];
    if (kept > selection.k) {
      const Key bound = bound_of_best(candidates, kept, selection.k, *scratch);
      kept = keep_reaching(candidates, kept, bound, *scratch);
    }
    for (std::int64_t c = threadIdx.x; c < kept; c += kThreads) results.keys[results.places[r] + c] = candidates[c];
    if (is_first_thread()) results.counts[r] = static_cast<std::int32_t>(kept);
  }
}

}  // namespace recocore::cuda
