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
    // Not a local one: GCC 12 takes the instruction to read 8 bytes of it, and might leave the others out.
    static constexpr TileLayout layout{};
    _tile_loadconfig(&layout);
  }
  ~Tiles() { _tile_release(); }
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;
};

// Items whose sums are compared together.
constexpr std::int64_t kTogether = 2 * kTileRows;
/// Two panels of queries, or one that stands for both.
///
/// To load a tile takes 16 ns on the machine that this was measured on, and to multiply two 5: so the tiles of queries
/// stay in registers, if they are no more than four, and an item's tile is multiplied with two of them. 1,024 pairs of
/// 128 values: 82 ns, and 162 with one panel at a time.
class PanelPair {
 public:
  /// Must live while pairs are used.
  using Setup = Tiles;

  PanelPair(const std::uint8_t* first, const std::uint8_t* second, std::int64_t stride) noexcept
      : first_(first), second_(second), stride_(stride) {
    if (stride_ > 2 * kCodeLane) return;
    _tile_loadd(4, first_, kRowBytes);
    _tile_loadd(6, second_, kRowBytes);
    if (stride_ == kCodeLane) return;
    _tile_loadd(5, first_ + kCodeLane * kQueryLanes, kRowBytes);
    _tile_loadd(7, second_ + kCodeLane * kQueryLanes, kRowBytes);
  }

  /// Sums of kTogether rows from one on with the queries, `[2, kTogether, kQueryLanes]`.
  void sum_up(const CodeRows& rows, std::int64_t first, std::int32_t* sums) const noexcept {
    const std::int8_t* items = rows.codes + first * stride_;
    if (stride_ > 2 * kCodeLane) return first_ == second_ ? sum_long_one(items, sums) : sum_long(items, sums);
    sum_half(items, sums);
    sum_half(items + kTileRows * stride_, sums + kTileRows * kQueryLanes);
  }

 private:
  void sum_half(const std::int8_t* items, std::int32_t* sums) const noexcept {
    _tile_zero(0);
    _tile_zero(1);
    _tile_loadd(2, items, stride_);
    _tile_dpbssd(0, 2, 4);
    _tile_dpbssd(1, 2, 6);
    if (stride_ != kCodeLane) {
      _tile_loadd(3, items + kCodeLane, stride_);
      _tile_dpbssd(0, 3, 5);
      _tile_dpbssd(1, 3, 7);
    }
    _tile_stored(0, sums, kRowBytes);
    _tile_stored(1, sums + kTogether * kQueryLanes, kRowBytes);
  }

  void sum_long(const std::int8_t* items, std::int32_t* sums) const noexcept {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (std::int64_t d = 0; d < stride_; d += kCodeLane) {
      _tile_loadd(4, items + d, stride_);
      _tile_loadd(6, first_ + d * kQueryLanes, kRowBytes);
      _tile_dpbssd(0, 4, 6);
      _tile_loadd(7, second_ + d * kQueryLanes, kRowBytes);
      _tile_dpbssd(1, 4, 7);
      _tile_loadd(5, items + kTileRows * stride_ + d, stride_);
      _tile_dpbssd(2, 5, 6);
      _tile_dpbssd(3, 5, 7);
    }
    constexpr std::int64_t kHalf = kTileRows * kQueryLanes;
    _tile_stored(0, sums, kRowBytes);
    _tile_stored(1, sums + 2 * kHalf, kRowBytes);
    _tile_stored(2, sums + kHalf, kRowBytes);
    _tile_stored(3, sums + 3 * kHalf, kRowBytes);
  }

  void sum_long_one(const std::int8_t* items, std::int32_t* sums) const noexcept {
    _tile_zero(0);
    _tile_zero(1);
    for (std::int64_t d = 0; d < stride_; d += kCodeLane) {
      _tile_loadd(6, first_ + d * kQueryLanes, kRowBytes);
      _tile_loadd(4, items + d, stride_);
      _tile_dpbssd(0, 4, 6);
      _tile_loadd(5, items + kTileRows * stride_ + d, stride_);
      _tile_dpbssd(1, 5, 6);
    }
    _tile_stored(0, sums, kRowBytes);
    _tile_stored(1, sums + kTileRows * kQueryLanes, kRowBytes);
  }

  const std::uint8_t* first_;
  const std::uint8_t* second_;
  std::int64_t stride_;
};

#include "kernels/scan/groups.inl"

}  // namespace
}  // namespace amx

const ScanKernels scan_amx{"amx",           amx::kQueryLevels,  0, true, 2, amx::scan_f32, amx::scan_codes,
                           amx::best_codes, amx::scan_codes_one};

}  // namespace recocore::kernels
