// Compiled with -mavx2 -mfma. Includes only intrinsics, so that no inline function compiled here can be linked
// elsewhere.
#include <immintrin.h>

#include "kernels/scan/kernel.hpp"

namespace recocore::kernels {
namespace avx2 {
namespace {

// Two products of unsigned and signed bytes are summed up in 16 bits: 2 * 127 * 127 fits, 2 * 255 * 127 would not.
constexpr std::int32_t kQueryLevels = 63;

#include "kernels/scan/rows.inl"

/// All ones where `sum` is not below `bar`, or where one of them is not a number.
__m256 not_below(__m256 sum, __m256 bar) noexcept {
  return _mm256_cmp_ps(sum, bar, _CMP_NLT_UQ);
}

unsigned mask_of(__m256 low, __m256 high) noexcept {
  return static_cast<unsigned>(_mm256_movemask_ps(low)) | static_cast<unsigned>(_mm256_movemask_ps(high)) << 8;
}

std::int64_t scan_f32(const float* items, std::int64_t stride, const std::int32_t* rows, const float* biases,
                      std::int64_t count, std::int64_t f, const float* panel, const float* bars, Hit* hits) noexcept {
  // 6 x 16 sums take twelve of 16 registers and need 8 loads for 12 multiplications.
  constexpr int kTileRows = 6;
  Hit* out = hits;
  for (std::int64_t first = 0; first < count; first += kTileRows) {
    const Rows<kTileRows, float> tile(items, stride, rows, first, count);
    __m256 sums[kTileRows][2];
#pragma GCC unroll 6
    for (int r = 0; r < kTileRows; ++r) {
      const std::int64_t row = first + r < count ? first + r : count - 1;
      sums[r][0] = sums[r][1] = biases == nullptr ? _mm256_setzero_ps() : _mm256_broadcast_ss(biases + row);
    }
    const float* queries = panel;
    for (std::int64_t d = 0; d < f; ++d, queries += kQueryLanes) {
      const __m256 low = _mm256_loadu_ps(queries);
      const __m256 high = _mm256_loadu_ps(queries + 8);
#pragma GCC unroll 6
      for (int r = 0; r < kTileRows; ++r) {
        const __m256 item = _mm256_broadcast_ss(tile.data[r] + d);
        sums[r][0] = _mm256_fmadd_ps(item, low, sums[r][0]);
        sums[r][1] = _mm256_fmadd_ps(item, high, sums[r][1]);
      }
    }
    const __m256 low_bars = _mm256_loadu_ps(bars);
    const __m256 high_bars = _mm256_loadu_ps(bars + 8);
    __m256 any = _mm256_setzero_ps();
#pragma GCC unroll 6
    for (int r = 0; r < kTileRows; ++r)
      any = _mm256_or_ps(any, _mm256_or_ps(not_below(sums[r][0], low_bars), not_below(sums[r][1], high_bars)));
    if (_mm256_movemask_ps(any) == 0) continue;
#pragma GCC unroll 6
    for (int r = 0; r < kTileRows; ++r) {
      if (first + r >= count) break;
      const unsigned mask = mask_of(not_below(sums[r][0], low_bars), not_below(sums[r][1], high_bars));
      out = write(mask, first + r, out);
    }
  }
  return out - hits;
}

__m256i add_products(__m256i sum, __m256i queries, __m256i items) noexcept {
  const __m256i pairs = _mm256_maddubs_epi16(queries, items);
  return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

/// The bars of eight queries for an item, in units of its products.
__m256 bars_for(const CodeRows& rows, std::int64_t row, const CodeBars& bars, int half) noexcept {
  const int at = half * 8;
  __m256 bar = _mm256_loadu_ps(bars.bars + at);
  bar = _mm256_fnmadd_ps(_mm256_loadu_ps(bars.by_error + at), _mm256_broadcast_ss(rows.errors + row), bar);
  bar = _mm256_fnmadd_ps(_mm256_loadu_ps(bars.by_norm + at), _mm256_broadcast_ss(rows.norms + row), bar);
  if (rows.biases != nullptr)
    bar = _mm256_fnmadd_ps(_mm256_loadu_ps(bars.by_bias + at), _mm256_broadcast_ss(rows.biases + row), bar);
  return _mm256_mul_ps(bar, _mm256_broadcast_ss(rows.inverse_scales + row));
}

/// Calls use(row, low, high) for each row, with its products with the queries of a panel.
template <typename Use>
void for_each_row(const CodeRows& rows, std::int64_t count, const std::uint8_t* panel, const Use& use) noexcept {
  constexpr int kTileRows = 4;
  for (std::int64_t first = 0; first < count; first += kTileRows) {
    const Rows<kTileRows, std::int8_t> tile(rows.codes, rows.stride, rows.positions, first, count);
    __m256i sums[kTileRows][2];
#pragma GCC unroll 4
    for (int r = 0; r < kTileRows; ++r) {
      const std::int64_t row = first + r < count ? first + r : count - 1;
      sums[r][0] = sums[r][1] = _mm256_set1_epi32(-(kQueryLevels + 1) * rows.code_sums[row]);
    }
    const std::uint8_t* queries = panel;
    for (std::int64_t d = 0; d < rows.stride; d += 4, queries += 4 * kQueryLanes) {
      const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(queries));
      const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(queries + 32));
#pragma GCC unroll 4
      for (int r = 0; r < kTileRows; ++r) {
        int four;
        __builtin_memcpy(&four, tile.data[r] + d, sizeof four);
        const __m256i item = _mm256_set1_epi32(four);
        sums[r][0] = add_products(sums[r][0], low, item);
        sums[r][1] = add_products(sums[r][1], high, item);
      }
    }
#pragma GCC unroll 4
    for (int r = 0; r < kTileRows; ++r) {
      if (first + r >= count) break;
      use(first + r, _mm256_cvtepi32_ps(sums[r][0]), _mm256_cvtepi32_ps(sums[r][1]));
    }
  }
}

std::int64_t scan_panel(const CodeRows& rows, std::int64_t count, const std::uint8_t* panel, const CodeBars& bars,
                        Hit* hits) noexcept {
  Hit* out = hits;
  for_each_row(rows, count, panel, [&](std::int64_t row, __m256 low, __m256 high) {
    const unsigned mask =
        mask_of(not_below(low, bars_for(rows, row, bars, 0)), not_below(high, bars_for(rows, row, bars, 1)));
    out = write(mask, row, out);
  });
  return out - hits;
}

void scan_codes(const CodeRows& rows, std::int64_t count, PanelScan* panels, std::int64_t n) noexcept {
  for (PanelScan* each = panels; each != panels + n; ++each)
    each->found = scan_panel(rows, count, each->panel, *each->bars, each->hits);
}

/// What the best rows of groups of them score at least, for eight queries of a panel.
class Best {
 public:
  Best(const CodeBars& bars, int half, std::int64_t group, float* best) noexcept
      : by_bias_(_mm256_loadu_ps(bars.by_bias + half * 8)), group_(group), best_(best + half * 8) {
    const __m256 by_error = _mm256_loadu_ps(bars.by_error + half * 8);
    const __m256 by_norm = _mm256_loadu_ps(bars.by_norm + half * 8);
    const __m256 margin = _mm256_set1_ps(kLeastMargin);
    // A product is no larger than the lengths of what both codes hold.
    by_norm_ = _mm256_fmadd_ps(margin, _mm256_add_ps(by_error, by_norm), by_norm);
    by_error_ = _mm256_fmadd_ps(margin, by_error, by_error);
  }

  void enter(const CodeRows& rows, std::int64_t row, __m256 sums) noexcept {
    __m256 least = _mm256_mul_ps(sums, _mm256_set1_ps(1 / rows.inverse_scales[row]));
    least = _mm256_fnmadd_ps(by_error_, _mm256_broadcast_ss(rows.errors + row), least);
    least = _mm256_fnmadd_ps(by_norm_, _mm256_broadcast_ss(rows.norms + row), least);
    if (rows.biases != nullptr) {
      const __m256 bias = _mm256_mul_ps(by_bias_, _mm256_broadcast_ss(rows.biases + row));
      const __m256 size = _mm256_andnot_ps(_mm256_set1_ps(-0.0F), bias);
      least = _mm256_add_ps(least, _mm256_fnmadd_ps(_mm256_set1_ps(kLeastMargin), size, bias));
    }
    least = _mm256_sub_ps(least, _mm256_set1_ps(kLeastStep));
    const __m256 told = _mm256_cmp_ps(least, _mm256_set1_ps(kMostTold), _CMP_LT_OQ);
    of_group_ = _mm256_max_ps(of_group_, _mm256_blendv_ps(_mm256_set1_ps(-__builtin_inff()), least, told));
    if (++entered_ == group_) end_group();
  }

  /// To be called after the last row.
  void end() noexcept {
    if (entered_ > 0) end_group();
  }

 private:
  void end_group() noexcept {
    _mm256_storeu_ps(best_, of_group_);
    best_ += kQueryLanes;
    of_group_ = _mm256_set1_ps(-__builtin_inff());
    entered_ = 0;
  }

  __m256 by_error_;
  __m256 by_norm_;
  __m256 by_bias_;
  __m256 of_group_ = _mm256_set1_ps(-__builtin_inff());
  std::int64_t entered_ = 0;
  std::int64_t group_;
  float* best_;
};

void best_codes(const CodeRows& rows, std::int64_t count, const std::uint8_t* panel, const CodeBars& bars,
                std::int64_t group, float* best) noexcept {
  Best first(bars, 0, group, best);
  Best second(bars, 1, group, best);
  for_each_row(rows, count, panel, [&](std::int64_t row, __m256 low, __m256 high) {
    first.enter(rows, row, low);
    second.enter(rows, row, high);
  });
  first.end();
  second.end();
}

/// The totals of four vectors.
__m128i totals(const __m256i (&sums)[4]) noexcept {
  const __m256i pairs = _mm256_hadd_epi32(_mm256_hadd_epi32(sums[0], sums[1]), _mm256_hadd_epi32(sums[2], sums[3]));
  return _mm_add_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1));
}

std::int64_t scan_codes_one(const CodeRows& rows, std::int64_t count, const std::uint8_t* query, const CodeBars& bars,
                            Hit* hits) noexcept {
  constexpr int kTileRows = 4;
  Hit* out = hits;
  for (std::int64_t first = 0; first < count; first += kTileRows) {
    const Rows<kTileRows, std::int8_t> tile(rows.codes, rows.stride, rows.positions, first, count);
    __m256i sums[kTileRows] = {};
    for (std::int64_t d = 0; d < rows.stride; d += 32) {
      const __m256i part = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(query + d));
#pragma GCC unroll 4
      for (int r = 0; r < kTileRows; ++r)
        sums[r] = add_products(sums[r], part, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(tile.data[r] + d)));
    }
    alignas(16) std::int32_t products[kTileRows];
    _mm_store_si128(reinterpret_cast<__m128i*>(products), totals(sums));
    for (int r = 0; r < kTileRows && first + r < count; ++r) {
      const std::int64_t row = first + r;
      const auto sum = static_cast<float>(products[r] - (kQueryLevels + 1) * rows.code_sums[row]);
      float bar = bars.bars[0] - bars.by_error[0] * rows.errors[row] - bars.by_norm[0] * rows.norms[row];
      if (rows.biases != nullptr) bar -= bars.by_bias[0] * rows.biases[row];
      if (!(sum < bar * rows.inverse_scales[row])) *out++ = {static_cast<std::int32_t>(row), 0};
    }
  }
  return out - hits;
}

}  // namespace
}  // namespace avx2

const ScanKernels scan_avx2{"avx2",           avx2::kQueryLevels, avx2::kQueryLevels + 1, true, 4, avx2::scan_f32,
                            avx2::scan_codes, avx2::best_codes,   avx2::scan_codes_one};

}  // namespace recocore::kernels
