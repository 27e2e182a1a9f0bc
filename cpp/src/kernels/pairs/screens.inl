// Screens as plain loops, which a compiler may turn into vector code. Included inside an anonymous namespace, so that
// no two files share a compiled copy.

inline bool keeps(float sum, const ScreenTerms& t, std::int64_t j) noexcept {
  const bool own = sum >= t.alpha * t.x[j] + t.beta;
  const bool theirs = sum >= t.y[j] * t.g + t.z[j];
  return own || theirs;
}

/// Position by position, without a branch on the outcome: it is not predictable where a screen is worth having.
template <typename Sum>
std::int64_t screen_counts(const Sum* sums, std::int64_t count, std::uint32_t floor, const ScreenTerms& terms,
                           std::int32_t* kept) noexcept {
  std::int64_t n = 0;
  for (std::int64_t j = 0; j < count; ++j) {
    if (sums[j] < floor) continue;
    kept[n] = static_cast<std::int32_t>(j);
    n += keeps(static_cast<float>(sums[j]), terms, j) ? 1 : 0;
  }
  return n;
}

inline std::int64_t screen_f64(const double* sums, std::int64_t count, const ScreenTerms& terms,
                               std::int32_t* kept) noexcept {
  std::int64_t n = 0;
  for (std::int64_t j = 0; j < count; ++j) {
    if (sums[j] == 0.0) continue;
    kept[n] = static_cast<std::int32_t>(j);
    n += keeps(static_cast<float>(sums[j]), terms, j) ? 1 : 0;
  }
  return n;
}

inline void rough_scores_u16(const std::uint16_t* sums, const std::int32_t* positions, std::int64_t count,
                             const float* x, const RoughTerms& terms, float* scores) noexcept {
  for (std::int64_t n = 0; n < count; ++n) {
    const auto sum = static_cast<float>(sums[positions[n]]);
    scores[n] = sum / (terms.base + terms.slope * x[positions[n]] + terms.own * sum);
  }
}

inline std::int64_t count_at_least(const float* scores, std::int64_t count, float bound) noexcept {
  std::int64_t n = 0;
  for (std::int64_t s = 0; s < count; ++s) n += scores[s] >= bound ? 1 : 0;
  return n;
}

inline std::int64_t keep_at_least(const float* scores, const std::int32_t* positions, std::int64_t count, float bound,
                                  std::int32_t* kept) noexcept {
  std::int64_t n = 0;
  for (std::int64_t s = 0; s < count; ++s) {
    kept[n] = positions[s];
    n += scores[s] >= bound ? 1 : 0;
  }
  return n;
}
