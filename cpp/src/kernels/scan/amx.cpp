// Compiled with -mavx512f/bw/dq/vl/vnni and -mamx-tile/int8. Includes only intrinsics, so that no inline function
// compiled here can be linked elsewhere.
#include <immintrin.h>

#include "kernels/scan/kernel.hpp"

namespace recocore::kernels {
namespace amx {
namespace {

constexpr std::int32_t kQueryLevels = 127;

struct AddProducts {
  __m512i operator()(__m512i sum, __m512i queries, __m512i items) const noexcept {
    return _mm512_dpbusd_epi32(sum, queries, items);
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
    _tile_dpbsud(0, 4, 6);
    _tile_loadd(5, items + 16 * stride + d, stride);
    _tile_dpbsud(1, 5, 6);
    _tile_loadd(4, items + 32 * stride + d, stride);
    _tile_dpbsud(2, 4, 6);
    _tile_loadd(5, items + 48 * stride + d, stride);
    _tile_dpbsud(3, 5, 6);
  }
  _tile_stored(0, sums, kRowBytes);
  _tile_stored(1, sums + 16 * kQueryLanes, kRowBytes);
  _tile_stored(2, sums + 32 * kQueryLanes, kRowBytes);
  _tile_stored(3, sums + 48 * kQueryLanes, kRowBytes);
}

std::int64_t scan_tiles(const CodeRows& rows, std::int64_t count, const std::uint8_t* panel, const CodeBars& bars,
                        Hit* hits) noexcept {
  constexpr std::int64_t kTogether = 4 * kTileRows;
  if (rows.positions != nullptr) return scan_codes(rows, count, panel, bars, hits);
  const Tiles tiles;
  alignas(64) std::int32_t sums[kTogether * kQueryLanes];
  Hit* out = hits;
  std::int64_t first = 0;
  for (; first + kTogether <= count; first += kTogether) {
    sum_four_tiles(rows.codes + first * rows.stride, rows.stride, panel, sums);
    for (std::int64_t r = 0; r < kTogether; ++r) {
      const __m512i offset = _mm512_set1_epi32((kQueryLevels + 1) * rows.code_sums[first + r]);
      const __m512 sum = _mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_load_si512(sums + r * kQueryLanes), offset));
      out = write(reaching(sum, rows, first + r, bars), first + r, out);
    }
  }
  if (first == count) return out - hits;
  // What is left fills no tiles.
  CodeRows rest = rows;
  rest.codes += first * rows.stride;
  rest.code_sums += first;
  rest.inverse_scales += first;
  rest.errors += first;
  rest.norms += first;
  if (rest.biases != nullptr) rest.biases += first;
  Hit* const last = out + scan_codes(rest, count - first, panel, bars, out);
  for (; out != last; ++out) out->row += static_cast<std::int32_t>(first);
  return out - hits;
}

}  // namespace
}  // namespace amx

const ScanKernels scan_amx{"amx", amx::kQueryLevels, true, amx::scan_f32, amx::scan_tiles, amx::scan_codes_one};

}  // namespace recocore::kernels
