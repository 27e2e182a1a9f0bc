// Scans: the scores of a block of items with a few queries, each compared at once with its query's bar. Only what may
// reach the bar is written down; nothing of the size items x queries is. One function table for each instruction set,
// chosen once for the process.
//
// Every function trusts its arguments, allocates nothing and starts no thread. Sums of integers are exact. Sums of
// floats are taken in a fixed order for each pair, whatever block it stands in, so a table gives the same bytes for the
// same input; two tables may differ by rounding.
#pragma once

#include <cstdint>

namespace recocore::kernels {

/// Queries of a panel: one register of the widest instruction set.
constexpr std::int64_t kQueryLanes = 16;

/// Codes of a row come in multiples of this many: one tile of the widest instruction set.
constexpr std::int64_t kCodeLane = 64;

/// What a pair scores at least has room for the rounding of the few operations that tell it: relative, and absolute.
constexpr float kLeastMargin = 0x1p-20F;
constexpr float kLeastStep = 1e-14F;
/// Where more is told, it is taken for nothing: products may have overflowed.
constexpr float kMostTold = 1e30F;

/// A pair that may reach its query's bar.
struct Hit {
  std::int32_t row;   ///< the item's number in its block
  std::int32_t lane;  ///< the query's number in its panel
};

/// A block of items as 8-bit codes: item = code / inverse_scale, nearly. Values of one item stand at its number in the
/// block in every array but `codes`, whose rows are numbered by `positions`, or one after the other where that is null.
struct CodeRows {
  const std::int8_t* codes;       ///< [.., stride], the first `stride` of them the item's, zeros where it is shorter
  std::int64_t stride;            ///< a multiple of kCodeLane
  const std::int32_t* positions;  ///< [count] rows of `codes`, or null
  const std::int32_t* code_sums;  ///< the sum of an item's codes
  const float* inverse_scales;    ///< greater than 0
  const float* errors;            ///< the length of what the codes leave out
  const float* norms;             ///< the length of what the codes hold
  const float* biases;            ///< added to an item's scores, or null
};

/// The bars of a panel's queries in units of their codes: query = code * scale, nearly. The pair of query q and item i
/// may reach its bar if
///   product of codes >= (bars[q] - by_error[q] * errors[i] - by_norm[q] * norms[i] - by_bias[q] * biases[i])
///                       * inverse_scales[i],
/// or if that is not a number.
struct CodeBars {
  float bars[kQueryLanes];
  float by_error[kQueryLanes];
  float by_norm[kQueryLanes];
  float by_bias[kQueryLanes];
};

/// A panel of queries on its way through a scan.
struct PanelScan {
  const std::uint8_t* panel;  ///< codes `[stride / 4, kQueryLanes, 4]`
  const CodeBars* bars;
  Hit* hits;               ///< room for all pairs, written in the order of rows, then lanes
  std::int64_t found = 0;  ///< how many were written
};

struct ScanKernels {
  /// The instruction set that the table's own file was compiled for.
  const char* isa;

  /// Codes of a query lie in [-query_levels, query_levels]: 127 where products of bytes are summed up in 32 bits, 63
  /// where two of them are in 16 bits first.
  std::int32_t query_levels;

  /// What is added to a query's codes before they are stored as bytes: query_levels + 1 where the instructions take
  /// unsigned ones, else 0.
  std::int32_t query_offset;

  /// Whether scanning codes is faster than scanning floats.
  bool prefers_codes;

  /// So many queries are scanned one by one at most: a panel takes as long for one as for sixteen, with amx as long as
  /// three single ones. 100,000 x 128 items, four queries, one by one and together, ms: amx 2.6 and 1.1, avx512_vnni
  /// 2.8 and 1.7, avx512 2.7 and 2.5, avx2 3.1 and 3.1; three: 2.0 and 1.2, 2.1 and 1.7, 2.0 and 2.4, 2.4 and 3.0.
  std::int64_t few_queries;

  /// Pairs of `count` rows and the queries of `panel` `[f, kQueryLanes]` whose inner product plus the row's bias does
  /// not lie below the query's bar: a product that is not a number does not. Rows are numbered by `rows`, or one after
  /// the other where that is null; null biases are zeros. Returns how many it wrote; `hits` has room for all pairs.
  std::int64_t (*scan_f32)(const float* items, std::int64_t stride, const std::int32_t* rows, const float* biases,
                           std::int64_t count, std::int64_t f, const float* panel, const float* bars,
                           Hit* hits) noexcept;

  /// Pairs of `count` rows and the queries of `n` panels that may reach their bar.
  void (*scan_codes)(const CodeRows& rows, std::int64_t count, PanelScan* panels, std::int64_t n) noexcept;

  /// What the best pair of each query of a panel and each `group` of `count` rows, of which the last may be shorter,
  /// scores at least: `best` `[groups, kQueryLanes]`, in the units of `bars`, whose own bars are not read. -inf stands
  /// for what cannot be told.
  void (*best_codes)(const CodeRows& rows, std::int64_t count, const std::uint8_t* panel, const CodeBars& bars,
                     std::int64_t group, float* best) noexcept;

  /// What scan_codes does, for a single query `[rows.stride]`, whose bar is the first of `bars`.
  std::int64_t (*scan_codes_one)(const CodeRows& rows, std::int64_t count, const std::uint8_t* query,
                                 const CodeBars& bars, Hit* hits) noexcept;
};

extern const ScanKernels scan_scalar;
#if defined(__x86_64__)
extern const ScanKernels scan_avx2;
extern const ScanKernels scan_avx512;
extern const ScanKernels scan_avx512_vnni;
extern const ScanKernels scan_amx;
#endif

/// The table of active_isa().
[[nodiscard]] const ScanKernels& scan();

}  // namespace recocore::kernels
