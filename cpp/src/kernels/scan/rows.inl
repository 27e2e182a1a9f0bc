// What the scans of all vector instruction sets share. Included inside the anonymous namespace of each.

/// Rows of a block taken together; where fewer are left the last one stands in, and nobody looks at its sums.
template <int R, typename T>
struct Rows {
  const T* data[R];

  Rows(const T* base, std::int64_t stride, const std::int32_t* numbers, std::int64_t first,
       std::int64_t count) noexcept {
    for (int r = 0; r < R; ++r) {
      const std::int64_t row = first + r < count ? first + r : count - 1;
      data[r] = base + stride * (numbers == nullptr ? row : numbers[row]);
    }
  }
};

/// Writes down the lanes that `mask` names.
Hit* write(unsigned mask, std::int64_t row, Hit* out) noexcept {
  for (; mask != 0; mask &= mask - 1) *out++ = {static_cast<std::int32_t>(row), __builtin_ctz(mask)};
  return out;
}
