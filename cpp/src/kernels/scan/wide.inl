// Scans in registers of 16 lanes, row by row. Included inside the anonymous namespace of each instruction set that has
// them, after rows.inl, kQueryLevels and AddProducts, which adds products of unsigned and signed bytes four by four to
// 32-bit sums.

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

/// Four codes of an item, for every query.
__m512i four_codes(const std::int8_t* codes) noexcept {
  int four;
  __builtin_memcpy(&four, codes, sizeof four);
  return _mm512_set1_epi32(four);
}

/// Calls use(row, sums) for each row, with its products with the queries of a panel.
template <typename Use>
void for_each_row(const CodeRows& rows, std::int64_t count, const std::uint8_t* panel, const Use& use) noexcept {
  constexpr int kTileRows = 12;
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
      for (int r = 0; r < kTileRows; ++r) sums[r] = AddProducts{}(sums[r], query, four_codes(tile.data[r] + d));
    }
#pragma GCC unroll 12
    for (int r = 0; r < kTileRows; ++r) {
      if (first + r >= count) break;
      use(first + r, _mm512_cvtepi32_ps(sums[r]));
    }
  }
}

/// Scans rows for a panel; they are numbered from `first_number` on.
Hit* scan_panel(const CodeRows& rows, std::int64_t count, const PanelScan& panel, std::int64_t first_number,
                Hit* out) noexcept {
  for_each_row(rows, count, panel.panel, [&](std::int64_t row, __m512 sums) {
    out = write(reaching(sums, rows, row, *panel.bars), first_number + row, out);
  });
  return out;
}

/// The totals of four vectors, in parts: four sums of each quarter.
__m512i totals_of_quarters(const __m512i (&sums)[4]) noexcept {
  const __m512i first =
      _mm512_add_epi32(_mm512_unpacklo_epi32(sums[0], sums[1]), _mm512_unpackhi_epi32(sums[0], sums[1]));
  const __m512i second =
      _mm512_add_epi32(_mm512_unpacklo_epi32(sums[2], sums[3]), _mm512_unpackhi_epi32(sums[2], sums[3]));
  return _mm512_add_epi32(_mm512_unpacklo_epi64(first, second), _mm512_unpackhi_epi64(first, second));
}

/// The quarters of two added up in pairs: those of the first, then those of the second.
__m512i paired(__m512i first, __m512i second) noexcept {
  return _mm512_add_epi32(_mm512_shuffle_i32x4(first, second, 0x88), _mm512_shuffle_i32x4(first, second, 0xDD));
}

/// Asks the memory for what stands further on in rows that follow each other.
template <std::size_t R>
void ask_memory_for(const std::int8_t* const (&rows)[R], std::int64_t ahead) noexcept {
#pragma GCC unroll 4
  for (std::size_t r = 0; r < R; ++r) _mm_prefetch(reinterpret_cast<const char*>(rows[r] + ahead), _MM_HINT_T0);
}

std::int64_t scan_codes_one(const CodeRows& rows, std::int64_t count, const std::uint8_t* query, const CodeBars& bars,
                            Hit* hits) noexcept {
  // As many items as lanes, so that their bars are compared together: 30,000 items of 64 codes took 0.38 ms, and 0.53
  // with four at a time.
  constexpr int kTileRows = 16;
  constexpr int kGroup = 4;
  constexpr std::int64_t kPage = 4096;
  Hit* out = hits;
  for (std::int64_t first = 0; first < count; first += kTileRows) {
    __m512i quarters[kTileRows / kGroup];
#pragma GCC unroll 4
    for (int part = 0; part < kTileRows / kGroup; ++part) {
      const Rows<kGroup, std::int8_t> tile(rows.codes, rows.stride, rows.positions, first + part * kGroup, count);
      __m512i sums[kGroup];
#pragma GCC unroll 4
      for (int r = 0; r < kGroup; ++r) sums[r] = _mm512_setzero_si512();
      for (std::int64_t d = 0; d < rows.stride; d += kCodeLane) {
        const __m512i codes = _mm512_loadu_si512(query + d);
        // The processor does not look beyond a page: 100,000 items of 128 codes take 0.60 ms with this and 0.75
        // without.
        if (rows.positions == nullptr) ask_memory_for(tile.data, d + 2 * kPage);
#pragma GCC unroll 4
        for (int r = 0; r < kGroup; ++r) sums[r] = AddProducts{}(sums[r], codes, _mm512_loadu_si512(tile.data[r] + d));
      }
      quarters[part] = totals_of_quarters(sums);
    }
    const __m512i products = paired(paired(quarters[0], quarters[1]), paired(quarters[2], quarters[3]));
    const std::int64_t left = count - first;
    const auto some = static_cast<__mmask16>(left < kTileRows ? (1U << left) - 1 : 0xFFFFU);
    const __m512i offsets =
        _mm512_mullo_epi32(_mm512_maskz_loadu_epi32(some, rows.code_sums + first), _mm512_set1_epi32(kQueryLevels + 1));
    const __m512 sums = _mm512_cvtepi32_ps(_mm512_sub_epi32(products, offsets));
    __m512 bar = _mm512_set1_ps(bars.bars[0]);
    bar = _mm512_fnmadd_ps(_mm512_set1_ps(bars.by_error[0]), _mm512_maskz_loadu_ps(some, rows.errors + first), bar);
    bar = _mm512_fnmadd_ps(_mm512_set1_ps(bars.by_norm[0]), _mm512_maskz_loadu_ps(some, rows.norms + first), bar);
    if (rows.biases != nullptr)
      bar = _mm512_fnmadd_ps(_mm512_set1_ps(bars.by_bias[0]), _mm512_maskz_loadu_ps(some, rows.biases + first), bar);
    bar = _mm512_mul_ps(bar, _mm512_maskz_loadu_ps(some, rows.inverse_scales + first));
    for (unsigned reach = _mm512_mask_cmp_ps_mask(some, sums, bar, _CMP_NLT_UQ); reach != 0; reach &= reach - 1)
      *out++ = {static_cast<std::int32_t>(first) + __builtin_ctz(reach), 0};
  }
  return out - hits;
}
