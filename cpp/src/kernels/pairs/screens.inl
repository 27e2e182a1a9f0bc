// Screens as plain loops, which a compiler may turn into vector code. Included inside an anonymous namespace, so that no
// two files share a compiled copy.

inline bool keeps(float sum, const ScreenTerms& t, std::int64_t j) noexcept {
  const bool own = sum >= t.alpha * t.x[j] + t.beta;
  const bool theirs = sum >= t.y[j] * t.g + t.z[j];
  return own || theirs;
}

/// Position by position, without a branch on the outcome: it is not predictable where a screen is worth having.
inline std::int64_t screen_u32(const std::uint32_t* sums, std::int64_t count, std::uint32_t floor,
                               const ScreenTerms& terms, std::int32_t* kept) noexcept {
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

inline std::int64_t count_at_least_u32(const std::uint32_t* sums, std::int64_t count, std::uint32_t floor,
                                       const float* x, float alpha, float beta) noexcept {
  std::int64_t n = 0;
  for (std::int64_t j = 0; j < count; ++j) {
    const bool enough = sums[j] >= floor;
    const bool high = static_cast<float>(sums[j]) >= alpha * x[j] + beta;
    n += enough && high ? 1 : 0;
  }
  return n;
}

inline std::int64_t count_at_least_f64(const double* sums, std::int64_t count, const float* x, float alpha,
                                       float beta) noexcept {
  std::int64_t n = 0;
  for (std::int64_t j = 0; j < count; ++j) {
    const bool enough = sums[j] != 0.0;
    const bool high = static_cast<float>(sums[j]) >= alpha * x[j] + beta;
    n += enough && high ? 1 : 0;
  }
  return n;
}
