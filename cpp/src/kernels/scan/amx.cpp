// Compiled with -mavx512f/bw/dq/vl/vnni and -mamx-tile/int8. Includes only intrinsics, so that no inline function
// compiled here can be linked elsewhere.
#include <immintrin.h>

#include "kernels/scan/kernel.hpp"

namespace recocore::kernels {
namespace amx {
namespace {

constexpr std::int32_t kQueryLevels = 127;

// Tiles multiply signed bytes, so queries are stored as they are; the vector instruction wants them unsigned.
struct AddProducts {
  __m512i operator()(__m512i sum, __m512i queries, __m512i items) const noexcept {
    return _mm512_dpbusd_epi32(sum, _mm512_xor_si512(queries, _mm512_set1_epi8(-128)), items);
  }
};

#include "kernels/scan/rows.inl"
#include "kernels/scan/wide.inl"

// A tile is 16 rows of 64 bytes: 16 items of 64 codes, 64 codes of 16 queries in groups of four, or 16 x 16 sums.
constexpr int kTileRows = 16;
constexpr int kRowBytes = 64;

/// The layout of the tile registers, as the instruction reads it.
struct alignas(64) TileLayout {
  std::uint8_t palette = 1;
  std::uint8_t start_row = 0;
  std::uint8_t reserved[14] = {};
  std::uint16_t row_bytes[16] = {kRowBytes, kRowBytes, kRowBytes, kRowBytes,
                                 kRowBytes, kRowBytes, kRowBytes, kRowBytes};
  std::uint8_t rows[16] = {kTileRows, kTileRows, kTileRows, kTileRows, kTileRows, kTileRows, kTileRows, kTileRows};
};

/// The tile registers, laid out for a scan. The state is the thread's: it is released for whoever uses it next.
class Tiles {
 public:
  Tiles() noexcept {
    const TileLayout layout;
    _tile_loadconfig(&layout);
  }
  ~Tiles() { _tile_release(); }
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;
};

constexpr std::int64_t kTogether = 4 * kTileRows;

/// Sums of 64 consecutive items with the queries of a panel, [64, 16]: each part of the panel is loaded once for four
/// tiles of items.
void sum_four_tiles(const std::int8_t* items, std::int64_t stride, const std::uint8_t* panel,
                    std::int32_t* sums) noexcept {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (std::int64_t d = 0; d < stride; d += kCodeLane) {
    _tile_loadd(6, panel + d * kQueryLanes, kRowBytes);
    _tile_loadd(4, items + d, stride);
    _tile_dpbssd(0, 4, 6);
    _tile_loadd(5, items + 16 * stride + d, stride);
    _tile_dpbssd(1, 5, 6);
    _tile_loadd(4, items + 32 * stride + d, stride);
    _tile_dpbssd(2, 4, 6);
    _tile_loadd(5, items + 48 * stride + d, stride);
    _tile_dpbssd(3, 5, 6);
  }
  _tile_stored(0, sums, kRowBytes);
  _tile_stored(1, sums + 16 * kQueryLanes, kRowBytes);
  _tile_stored(2, sums + 32 * kQueryLanes, kRowBytes);
  _tile_stored(3, sums + 48 * kQueryLanes, kRowBytes);
}

/// What 64 items have in common, for a look at all of them that costs three instructions an item: if sums over the
/// items' scales lie below `bars`, none of them reaches its own bar.
struct GroupBars {
  GroupBars(const CodeRows& rows, std::int64_t first, const CodeBars& each) noexcept {
    __m512 errors = _mm512_setzero_ps();
    __m512 norms = errors;
    __m512 least = _mm512_set1_ps(kLargestScale);
    __m512 most = errors;
    for (std::int64_t r = 0; r < kTogether; r += 16) {
      errors = _mm512_max_ps(errors, _mm512_loadu_ps(rows.errors + first + r));
      norms = _mm512_max_ps(norms, _mm512_loadu_ps(rows.norms + first + r));
      const __m512 inverse = _mm512_loadu_ps(rows.inverse_scales + first + r);
      least = _mm512_min_ps(least, inverse);
      most = _mm512_max_ps(most, inverse);
      _mm512_store_ps(scales + r, _mm512_div_ps(_mm512_set1_ps(1), inverse));
    }
    const bool usual = rows.biases == nullptr && _mm512_reduce_min_ps(least) >= 1 / kLargestScale &&
                       _mm512_reduce_max_ps(most) <= kLargestScale;
    bars = _mm512_loadu_ps(each.bars);
    bars = _mm512_fnmadd_ps(_mm512_loadu_ps(each.by_error), _mm512_set1_ps(_mm512_reduce_max_ps(errors)), bars);
    bars = _mm512_fnmadd_ps(_mm512_loadu_ps(each.by_norm), _mm512_set1_ps(_mm512_reduce_max_ps(norms)), bars);
    // Four roundings of 2^-24 lie between this comparison and an item's own; a bar that underflows there is below
    // 1e-14.
    bars = _mm512_fnmadd_ps(_mm512_abs_ps(bars), _mm512_set1_ps(0x1p-20F), bars);
    bars = usual ? _mm512_sub_ps(bars, _mm512_set1_ps(1e-14F)) : _mm512_set1_ps(-__builtin_inff());
  }

  static constexpr float kLargestScale = 1e30F;
  __m512 bars;
  alignas(64) float scales[kTogether];
};

Hit* compare(const CodeRows& rows, std::int64_t first, const std::int32_t* sums, const CodeBars& bars,
             Hit* out) noexcept {
  constexpr int kLook = 4;
  const GroupBars group(rows, first, bars);
  for (std::int64_t r = 0; r < kTogether; r += kLook) {
    __m512 each[kLook];
    __m512 scaled[kLook];
#pragma GCC unroll 4
    for (int i = 0; i < kLook; ++i) {
      each[i] = _mm512_cvtepi32_ps(_mm512_load_si512(sums + (r + i) * kQueryLanes));
      scaled[i] = _mm512_mul_ps(each[i], _mm512_set1_ps(group.scales[r + i]));
    }
    const __m512 largest = _mm512_max_ps(_mm512_max_ps(scaled[0], scaled[1]), _mm512_max_ps(scaled[2], scaled[3]));
    if (_mm512_cmp_ps_mask(largest, group.bars, _CMP_NLT_UQ) == 0) continue;
    for (int i = 0; i < kLook; ++i) out = write(reaching(each[i], rows, first + r + i, bars), first + r + i, out);
  }
  return out;
}

/// The rows from one on, which follow each other.
CodeRows behind(const CodeRows& rows, std::int64_t first) noexcept {
  CodeRows rest = rows;
  rest.codes += first * rows.stride;
  rest.code_sums += first;
  rest.inverse_scales += first;
  rest.errors += first;
  rest.norms += first;
  if (rest.biases != nullptr) rest.biases += first;
  return rest;
}

std::int64_t scan_tiles(const CodeRows& rows, std::int64_t count, const std::uint8_t* panel, const CodeBars& bars,
                        Hit* hits) noexcept {
  if (rows.positions != nullptr) return scan_codes(rows, count, panel, bars, hits);
  const Tiles tiles;
  // Two groups under way: the tiles of the next are summed up while the last one's sums are compared.
  alignas(64) std::int32_t sums[2][kTogether * kQueryLanes];
  Hit* out = hits;
  const std::int64_t groups = count / kTogether;
  for (std::int64_t g = 0; g <= groups; ++g) {
    if (g < groups) sum_four_tiles(rows.codes + g * kTogether * rows.stride, rows.stride, panel, sums[g % 2]);
    if (g > 0) out = compare(rows, (g - 1) * kTogether, sums[(g - 1) % 2], bars, out);
  }
  const std::int64_t first = groups * kTogether;
  if (first == count) return out - hits;
  // What is left fills no tiles.
  Hit* const last = out + scan_codes(behind(rows, first), count - first, panel, bars, out);
  for (; out != last; ++out) out->row += static_cast<std::int32_t>(first);
  return out - hits;
}

void best_tiles(const CodeRows& rows, std::int64_t count, const std::uint8_t* panel, const CodeBars& bars,
                std::int64_t rank, float* best) noexcept {
  const std::int64_t in_tiles = rows.positions == nullptr ? count / kTogether * kTogether : 0;
  if (in_tiles > 0) {
    const Tiles tiles;
    alignas(64) std::int32_t sums[kTogether * kQueryLanes];
    Best kept(bars, rank, best);
    for (std::int64_t first = 0; first < in_tiles; first += kTogether) {
      sum_four_tiles(rows.codes + first * rows.stride, rows.stride, panel, sums);
      for (std::int64_t r = 0; r < kTogether; ++r)
        kept.enter(rows, first + r, _mm512_cvtepi32_ps(_mm512_load_si512(sums + r * kQueryLanes)));
    }
  }
  if (in_tiles < count)
    best_codes(in_tiles == 0 ? rows : behind(rows, in_tiles), count - in_tiles, panel, bars, rank, best);
}

}  // namespace
}  // namespace amx

const ScanKernels scan_amx{"amx",           amx::kQueryLevels,  0, true, 2, amx::scan_f32, amx::scan_tiles,
                           amx::best_tiles, amx::scan_codes_one};

}  // namespace recocore::kernels
