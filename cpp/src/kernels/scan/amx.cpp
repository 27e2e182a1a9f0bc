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
// Groups of a block that are described at once.
constexpr std::int64_t kGroups = 8;

/// Two panels of queries, or one that stands for both.
///
/// To load a tile takes 16 ns on the machine that this was measured on, and to multiply two 5: so the tiles of queries
/// stay in registers, if they are no more than four, and an item's tile is multiplied with two of them. 1,024 pairs of
/// 128 values: 82 ns, and 162 with one panel at a time.
class PanelPair {
 public:
  PanelPair(const std::uint8_t* first, const std::uint8_t* second, std::int64_t stride) noexcept
      : first_(first), second_(second), stride_(stride) {
    if (stride_ > 2 * kCodeLane) return;
    _tile_loadd(4, first_, kRowBytes);
    _tile_loadd(6, second_, kRowBytes);
    if (stride_ == kCodeLane) return;
    _tile_loadd(5, first_ + kCodeLane * kQueryLanes, kRowBytes);
    _tile_loadd(7, second_ + kCodeLane * kQueryLanes, kRowBytes);
  }

  /// Sums of kTogether items that follow each other with the queries, `[2, kTogether, kQueryLanes]`.
  void sum_up(const std::int8_t* items, std::int32_t* sums) const noexcept {
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

/// What the items of a group have in common, for a look at all of them that costs three instructions an item, or one
/// where they have one scale: if sums over the items' scales lie below bars_for(), none of them reaches its own bar.
struct Group {
  Group() noexcept = default;
  Group(const CodeRows& rows, std::int64_t first) noexcept {
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
      _mm512_storeu_ps(scales + r, _mm512_div_ps(_mm512_set1_ps(1), inverse));
    }
    usual = rows.biases == nullptr && _mm512_reduce_min_ps(least) >= 1 / kLargestScale &&
            _mm512_reduce_max_ps(most) <= kLargestScale;
    one_scale = usual && _mm512_reduce_min_ps(least) == _mm512_reduce_max_ps(most);
    inverse_scale = rows.inverse_scales[first];
    error = _mm512_reduce_max_ps(errors);
    norm = _mm512_reduce_max_ps(norms);
  }

  [[nodiscard]] __m512 bars_for(const CodeBars& each) const noexcept {
    if (!usual) return _mm512_set1_ps(-__builtin_inff());
    __m512 bars = _mm512_loadu_ps(each.bars);
    bars = _mm512_fnmadd_ps(_mm512_loadu_ps(each.by_error), _mm512_set1_ps(error), bars);
    bars = _mm512_fnmadd_ps(_mm512_loadu_ps(each.by_norm), _mm512_set1_ps(norm), bars);
    // Four roundings of 2^-24 lie between this comparison and an item's own; a bar that underflows there is below
    // 1e-14.
    bars = _mm512_fnmadd_ps(_mm512_abs_ps(bars), _mm512_set1_ps(0x1p-20F), bars);
    return _mm512_sub_ps(bars, _mm512_set1_ps(1e-14F));
  }

  /// The same for sums, where there is one scale: whole numbers at or below bars_for() times that.
  [[nodiscard]] __m512i whole_bars_for(const CodeBars& each) const noexcept {
    // Beyond what 65,536 products of codes come to.
    const __m512 limit = _mm512_set1_ps(0x1p30F);
    __m512 bars = _mm512_mul_ps(bars_for(each), _mm512_set1_ps(inverse_scale));
    bars = _mm512_fnmadd_ps(_mm512_abs_ps(bars), _mm512_set1_ps(0x1p-22F), bars);
    bars = _mm512_min_ps(_mm512_max_ps(bars, _mm512_sub_ps(_mm512_setzero_ps(), limit)), limit);
    return _mm512_cvt_roundps_epi32(bars, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
  }

  static constexpr float kLargestScale = 1e30F;
  float scales[kTogether];
  float inverse_scale;
  float error;
  float norm;
  bool usual;
  bool one_scale;
};

/// compare() for a group with one scale.
void compare_whole(const CodeRows& rows, std::int64_t first, const Group& group, const std::int32_t* sums,
                   PanelScan& panel) noexcept {
  constexpr int kLook = 8;
  const __m512i bars = group.whole_bars_for(*panel.bars);
  Hit* out = panel.hits + panel.found;
  for (std::int64_t r = 0; r < kTogether; r += kLook) {
    __m512i largest = _mm512_load_si512(sums + r * kQueryLanes);
#pragma GCC unroll 8
    for (int i = 1; i < kLook; ++i)
      largest = _mm512_max_epi32(largest, _mm512_load_si512(sums + (r + i) * kQueryLanes));
    if (_mm512_cmpge_epi32_mask(largest, bars) == 0) continue;
    for (int i = 0; i < kLook; ++i) {
      const __m512i each = _mm512_load_si512(sums + (r + i) * kQueryLanes);
      if (_mm512_cmpge_epi32_mask(each, bars) == 0) continue;
      out = write(reaching(_mm512_cvtepi32_ps(each), rows, first + r + i, *panel.bars), first + r + i, out);
    }
  }
  panel.found = out - panel.hits;
}

/// Writes down the pairs of a group that may reach their bars.
void compare(const CodeRows& rows, std::int64_t first, const Group& group, const std::int32_t* sums,
             PanelScan& panel) noexcept {
  if (group.one_scale) return compare_whole(rows, first, group, sums, panel);
  constexpr int kLook = 4;
  const __m512 group_bars = group.bars_for(*panel.bars);
  Hit* out = panel.hits + panel.found;
  for (std::int64_t r = 0; r < kTogether; r += kLook) {
    __m512 each[kLook];
    __m512 scaled[kLook];
#pragma GCC unroll 4
    for (int i = 0; i < kLook; ++i) {
      each[i] = _mm512_cvtepi32_ps(_mm512_load_si512(sums + (r + i) * kQueryLanes));
      scaled[i] = _mm512_mul_ps(each[i], _mm512_set1_ps(group.scales[r + i]));
    }
    const __m512 largest = _mm512_max_ps(_mm512_max_ps(scaled[0], scaled[1]), _mm512_max_ps(scaled[2], scaled[3]));
    if (_mm512_cmp_ps_mask(largest, group_bars, _CMP_NLT_UQ) == 0) continue;
    for (int i = 0; i < kLook; ++i)
      out = write(reaching(each[i], rows, first + r + i, *panel.bars), first + r + i, out);
  }
  panel.found = out - panel.hits;
}

/// Scans groups of items from row `first` on.
void scan_groups(const CodeRows& rows, std::int64_t first, std::int64_t count, PanelScan* panels,
                 std::int64_t n) noexcept {
  Group groups[kGroups];
  for (std::int64_t g = 0; g < count; ++g) groups[g] = Group(rows, first + g * kTogether);
  const std::int8_t* items = rows.codes + first * rows.stride;
  // Two groups under way: the tiles of the next are summed up while the last one's sums are compared.
  alignas(64) std::int32_t sums[2][2 * kTogether * kQueryLanes];
  for (std::int64_t p = 0; p < n; p += 2) {
    const bool two = p + 1 < n;
    const PanelPair pair(panels[p].panel, panels[two ? p + 1 : p].panel, rows.stride);
    for (std::int64_t g = 0; g <= count; ++g) {
      if (g < count) pair.sum_up(items + g * kTogether * rows.stride, sums[g % 2]);
      if (g == 0) continue;
      const std::int32_t* done = sums[(g - 1) % 2];
      compare(rows, first + (g - 1) * kTogether, groups[g - 1], done, panels[p]);
      if (two) compare(rows, first + (g - 1) * kTogether, groups[g - 1], done + kTogether * kQueryLanes, panels[p + 1]);
    }
  }
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

void scan_tiles(const CodeRows& rows, std::int64_t count, PanelScan* panels, std::int64_t n) noexcept {
  if (rows.positions != nullptr) return scan_codes(rows, count, panels, n);
  for (PanelScan* each = panels; each != panels + n; ++each) each->found = 0;
  const std::int64_t in_tiles = count / kTogether * kTogether;
  if (in_tiles > 0) {
    const Tiles tiles;
    for (std::int64_t first = 0; first < in_tiles; first += kGroups * kTogether) {
      const std::int64_t left = (in_tiles - first) / kTogether;
      scan_groups(rows, first, left < kGroups ? left : kGroups, panels, n);
    }
  }
  if (in_tiles == count) return;
  // What is left fills no tiles.
  const CodeRows rest = behind(rows, in_tiles);
  for (PanelScan* each = panels; each != panels + n; ++each) {
    Hit* const out = each->hits + each->found;
    const std::int64_t found = scan_panel(rest, count - in_tiles, each->panel, *each->bars, out);
    for (std::int64_t h = 0; h < found; ++h) out[h].row += static_cast<std::int32_t>(in_tiles);
    each->found += found;
  }
}

void best_tiles(const CodeRows& rows, std::int64_t count, const std::uint8_t* panel, const CodeBars& bars,
                std::int64_t rank, float* best) noexcept {
  const std::int64_t in_tiles = rows.positions == nullptr ? count / kTogether * kTogether : 0;
  if (in_tiles > 0) {
    const Tiles tiles;
    const PanelPair pair(panel, panel, rows.stride);
    alignas(64) std::int32_t sums[2 * kTogether * kQueryLanes];
    Best kept(bars, rank, best);
    for (std::int64_t first = 0; first < in_tiles; first += kTogether) {
      pair.sum_up(rows.codes + first * rows.stride, sums);
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
