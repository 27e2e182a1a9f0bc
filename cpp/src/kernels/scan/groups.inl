// Scans of codes whose rows follow each other, in groups that are looked at as one. Included after wide.inl, kTogether
// (the rows of a group, a multiple of 16) and PanelPair, which sums up a group's products with the queries of two
// panels.

// Groups of a block that are described at once.
constexpr std::int64_t kGroups = 8;

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
  // Two groups under way: the next is summed up while the last one's sums are compared.
  alignas(64) std::int32_t sums[2][2 * kTogether * kQueryLanes];
  for (std::int64_t p = 0; p < n; p += 2) {
    const bool two = p + 1 < n;
    const PanelPair pair(panels[p].panel, panels[two ? p + 1 : p].panel, rows.stride);
    for (std::int64_t g = 0; g <= count; ++g) {
      if (g < count) pair.sum_up(rows, first + g * kTogether, sums[g % 2]);
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

void scan_codes(const CodeRows& rows, std::int64_t count, PanelScan* panels, std::int64_t n) noexcept {
  for (PanelScan* each = panels; each != panels + n; ++each) each->found = 0;
  // Where rows do not follow each other nothing is known of groups of them.
  const std::int64_t in_groups = rows.positions == nullptr ? count / kTogether * kTogether : 0;
  if (in_groups > 0) {
    [[maybe_unused]] const PanelPair::Setup setup;
    for (std::int64_t first = 0; first < in_groups; first += kGroups * kTogether) {
      const std::int64_t left = (in_groups - first) / kTogether;
      scan_groups(rows, first, left < kGroups ? left : kGroups, panels, n);
    }
  }
  if (in_groups == count) return;
  const CodeRows rest = behind(rows, in_groups);
  for (PanelScan* each = panels; each != panels + n; ++each)
    each->found = scan_panel(rest, count - in_groups, *each, in_groups, each->hits + each->found) - each->hits;
}

/// What the best rows of groups of them score at least, for the queries of a panel.
class Best {
 public:
  Best(const CodeBars& bars, std::int64_t group, float* best) noexcept
      : by_bias_(_mm512_loadu_ps(bars.by_bias)), group_(group), best_(best) {
    const __m512 by_error = _mm512_loadu_ps(bars.by_error);
    const __m512 by_norm = _mm512_loadu_ps(bars.by_norm);
    const __m512 margin = _mm512_set1_ps(kLeastMargin);
    // A product is no larger than the lengths of what both codes hold.
    by_norm_ = _mm512_fmadd_ps(margin, _mm512_add_ps(by_error, by_norm), by_norm);
    by_error_ = _mm512_fmadd_ps(margin, by_error, by_error);
  }

  void enter(const CodeRows& rows, std::int64_t row, __m512 sums) noexcept {
    __m512 least = _mm512_mul_ps(sums, _mm512_set1_ps(1 / rows.inverse_scales[row]));
    least = _mm512_fnmadd_ps(by_error_, _mm512_set1_ps(rows.errors[row]), least);
    least = _mm512_fnmadd_ps(by_norm_, _mm512_set1_ps(rows.norms[row]), least);
    if (rows.biases != nullptr) {
      const __m512 bias = _mm512_mul_ps(by_bias_, _mm512_set1_ps(rows.biases[row]));
      least = _mm512_add_ps(least, _mm512_fnmadd_ps(_mm512_set1_ps(kLeastMargin), _mm512_abs_ps(bias), bias));
    }
    least = _mm512_sub_ps(least, _mm512_set1_ps(kLeastStep));
    const __mmask16 told = _mm512_cmp_ps_mask(least, _mm512_set1_ps(kMostTold), _CMP_LT_OQ);
    of_group_ = _mm512_mask_max_ps(of_group_, told, of_group_, least);
    if (++entered_ == group_) end_group();
  }

  /// To be called after the last row.
  void end() noexcept {
    if (entered_ > 0) end_group();
  }

 private:
  void end_group() noexcept {
    _mm512_storeu_ps(best_, of_group_);
    best_ += kQueryLanes;
    of_group_ = _mm512_set1_ps(-__builtin_inff());
    entered_ = 0;
  }

  __m512 by_error_;
  __m512 by_norm_;
  __m512 by_bias_;
  __m512 of_group_ = _mm512_set1_ps(-__builtin_inff());
  std::int64_t entered_ = 0;
  std::int64_t group_;
  float* best_;
};

void best_codes(const CodeRows& rows, std::int64_t count, const std::uint8_t* panel, const CodeBars& bars,
                std::int64_t group, float* best) noexcept {
  Best kept(bars, group, best);
  const std::int64_t in_groups = rows.positions == nullptr ? count / kTogether * kTogether : 0;
  if (in_groups > 0) {
    [[maybe_unused]] const PanelPair::Setup setup;
    const PanelPair pair(panel, panel, rows.stride);
    alignas(64) std::int32_t sums[2 * kTogether * kQueryLanes];
    for (std::int64_t first = 0; first < in_groups; first += kTogether) {
      pair.sum_up(rows, first, sums);
      for (std::int64_t r = 0; r < kTogether; ++r)
        kept.enter(rows, first + r, _mm512_cvtepi32_ps(_mm512_load_si512(sums + r * kQueryLanes)));
    }
  }
  const CodeRows rest = behind(rows, in_groups);
  for_each_row(rest, count - in_groups, panel, [&](std::int64_t row, __m512 sums) { kept.enter(rest, row, sums); });
  kept.end();
}
