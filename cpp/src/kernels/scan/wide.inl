// Scans in registers of 16 lanes. Included inside the anonymous namespace of each instruction set that has them, after
// rows.inl, kQueryLevels and AddProducts, which adds products of unsigned and signed bytes four by four to 32-bit sums.

std::int64_t scan_f32(const float* items, std::int64_t stride, const std::int32_t* rows, const float* biases,
                      std::int64_t count, std::int64_t f, const float* panel, const float* bars, Hit* hits) noexcept {
  // Twelve sums, whose chains hide the latency of their additions; items come as operands from memory.
  constexpr int kTileRows = 12;
  Hit* out = hits;
  const __m512 bar = _mm512_loadu_ps(bars);
  for (std::int64_t first = 0; first < count; first += kTileRows) {
    const Rows<kTileRows, float> tile(items, stride, rows, first, count);
    __m512 sums[kTileRows];
#pragma GCC unroll 12
    for (int r = 0; r < kTileRows; ++r) {
      const std::int64_t row = first + r < count ? first + r : count - 1;
      sums[r] = biases == nullptr ? _mm512_setzero_ps() : _mm512_set1_ps(biases[row]);
    }
    const float* queries = panel;
    for (std::int64_t d = 0; d < f; ++d, queries += kQueryLanes) {
      const __m512 query = _mm512_loadu_ps(queries);
#pragma GCC unroll 12
      for (int r = 0; r < kTileRows; ++r) sums[r] = _mm512_fmadd_ps(_mm512_set1_ps(tile.data[r][d]), query, sums[r]);
    }
#pragma GCC unroll 12
    for (int r = 0; r < kTileRows; ++r) {
      if (first + r >= count) break;
      out = write(_mm512_cmp_ps_mask(sums[r], bar, _CMP_NLT_UQ), first + r, out);
    }
  }
  return out - hits;
}

/// The lanes whose sums may reach their bars for an item.
__mmask16 reaching(__m512 sums, const CodeRows& rows, std::int64_t row, const CodeBars& bars) noexcept {
  __m512 bar = _mm512_loadu_ps(bars.bars);
  bar = _mm512_fnmadd_ps(_mm512_loadu_ps(bars.by_error), _mm512_set1_ps(rows.errors[row]), bar);
  bar = _mm512_fnmadd_ps(_mm512_loadu_ps(bars.by_norm), _mm512_set1_ps(rows.norms[row]), bar);
  if (rows.biases != nullptr)
    bar = _mm512_fnmadd_ps(_mm512_loadu_ps(bars.by_bias), _mm512_set1_ps(rows.biases[row]), bar);
  return _mm512_cmp_ps_mask(sums, _mm512_mul_ps(bar, _mm512_set1_ps(rows.inverse_scales[row])), _CMP_NLT_UQ);
}

std::int64_t scan_codes(const CodeRows& rows, std::int64_t count, const std::uint8_t* panel, const CodeBars& bars,
                        Hit* hits) noexcept {
  constexpr int kTileRows = 12;
  Hit* out = hits;
  for (std::int64_t first = 0; first < count; first += kTileRows) {
    const Rows<kTileRows, std::int8_t> tile(rows.codes, rows.stride, rows.positions, first, count);
    __m512i sums[kTileRows];
#pragma GCC unroll 12
    for (int r = 0; r < kTileRows; ++r) {
      const std::int64_t row = first + r < count ? first + r : count - 1;
      sums[r] = _mm512_set1_epi32(-(kQueryLevels + 1) * rows.code_sums[row]);
    }
    const std::uint8_t* queries = panel;
    for (std::int64_t d = 0; d < rows.stride; d += 4, queries += 4 * kQueryLanes) {
      const __m512i query = _mm512_loadu_si512(queries);
#pragma GCC unroll 12
      for (int r = 0; r < kTileRows; ++r) {
        int four;
        __builtin_memcpy(&four, tile.data[r] + d, sizeof four);
        sums[r] = AddProducts{}(sums[r], query, _mm512_set1_epi32(four));
      }
    }
#pragma GCC unroll 12
    for (int r = 0; r < kTileRows; ++r) {
      if (first + r >= count) break;
      out = write(reaching(_mm512_cvtepi32_ps(sums[r]), rows, first + r, bars), first + r, out);
    }
  }
  return out - hits;
}

/// The totals of four vectors.
__m128i totals(const __m512i (&sums)[4]) noexcept {
  __m256i halves[4];
#pragma GCC unroll 4
  for (int r = 0; r < 4; ++r)
    halves[r] = _mm256_add_epi32(_mm512_castsi512_si256(sums[r]), _mm512_maskz_extracti64x4_epi64(0xF, sums[r], 1));
  const __m256i pairs =
      _mm256_hadd_epi32(_mm256_hadd_epi32(halves[0], halves[1]), _mm256_hadd_epi32(halves[2], halves[3]));
  return _mm_add_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1));
}

std::int64_t scan_codes_one(const CodeRows& rows, std::int64_t count, const std::uint8_t* query, const CodeBars& bars,
                            Hit* hits) noexcept {
  constexpr int kTileRows = 4;
  Hit* out = hits;
  for (std::int64_t first = 0; first < count; first += kTileRows) {
    const Rows<kTileRows, std::int8_t> tile(rows.codes, rows.stride, rows.positions, first, count);
    __m512i sums[kTileRows];
#pragma GCC unroll 4
    for (int r = 0; r < kTileRows; ++r) sums[r] = _mm512_setzero_si512();
    for (std::int64_t d = 0; d < rows.stride; d += kCodeLane) {
      const __m512i part = _mm512_loadu_si512(query + d);
#pragma GCC unroll 4
      for (int r = 0; r < kTileRows; ++r) sums[r] = AddProducts{}(sums[r], part, _mm512_loadu_si512(tile.data[r] + d));
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
