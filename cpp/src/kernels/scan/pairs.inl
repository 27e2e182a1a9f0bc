// A group's products in registers of 16 lanes. Included between wide.inl and groups.inl.

// Rows of a group. 100,000 items, 20,000 queries: 475 ms with 32, 485 with 16, 547 with 64.
constexpr std::int64_t kTogether = 32;

/// Two panels of queries, or one that stands for both.
class PanelPair {
 public:
  /// There is nothing to set up.
  struct Setup {};

  PanelPair(const std::uint8_t* first, const std::uint8_t* second, std::int64_t stride) noexcept
      : first_(first), second_(second), stride_(stride) {}

  /// Sums of kTogether rows from one on with the queries, `[2, kTogether, kQueryLanes]`; of one panel only the first.
  void sum_up(const CodeRows& rows, std::int64_t first, std::int32_t* sums) const noexcept {
    constexpr int kTileRows = 8;
    for (std::int64_t r = 0; r < kTogether; r += kTileRows, sums += kTileRows * kQueryLanes) {
      const std::int8_t* codes = rows.codes + (first + r) * stride_;
      if (first_ == second_)
        sum_tile<1, kTileRows>(codes, rows.code_sums + first + r, sums);
      else
        sum_tile<2, kTileRows>(codes, rows.code_sums + first + r, sums);
    }
  }

 private:
  /// P panels share what is read of the items: 855 billion operations a second of one core (Zen 5) with one, 1,020 with
  /// two, which is all that it multiplies.
  template <int P, int R>
  void sum_tile(const std::int8_t* codes, const std::int32_t* code_sums, std::int32_t* out) const noexcept {
    const std::uint8_t* const panels[] = {first_, second_};
    const std::int8_t* rows[R];
    for (int r = 0; r < R; ++r) rows[r] = codes + r * stride_;
    __m512i sums[R][P];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
      for (int p = 0; p < P; ++p) sums[r][p] = _mm512_set1_epi32(-(kQueryLevels + 1) * code_sums[r]);
    for (std::int64_t d = 0; d < stride_; d += 4) {
      __m512i queries[P];
#pragma GCC unroll 2
      for (int p = 0; p < P; ++p) queries[p] = _mm512_loadu_si512(panels[p] + d * kQueryLanes);
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) {
        const __m512i item = four_codes(rows[r] + d);
#pragma GCC unroll 2
        for (int p = 0; p < P; ++p) sums[r][p] = AddProducts{}(sums[r][p], queries[p], item);
      }
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
      for (int p = 0; p < P; ++p) _mm512_store_si512(out + (p * kTogether + r) * kQueryLanes, sums[r][p]);
  }

  const std::uint8_t* first_;
  const std::uint8_t* second_;
  std::int64_t stride_;
};
