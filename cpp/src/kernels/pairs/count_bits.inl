// The bit-sliced counter, for each instruction set's own vector type. Included inside an anonymous namespace, so that
// no two files share a compiled copy.
//
// Vector: load(const u64*), store(u64*), zero(), half-open width kWords; Adder::add(a, b, c, high, low) is a full adder
// on every bit; expand(plane, level, sums) adds 2^level to the sums of the set bits.

/// Levels 0 to 2 (ones, twos, fours) take eight columns at a time; what they carry goes up by the binary counter trick:
/// a level holds one waiting vector, and two waiting vectors and the level's own make the next carry. So the work for
/// eight columns is nine full adders on average, whatever the number of levels.
template <typename Vector>
void count_bits_of(const BitColumns& columns, const std::int32_t* slots, std::int64_t count, int shift,
                   std::uint64_t* scratch, std::uint32_t* sums) noexcept {
  constexpr std::int64_t kWide = Vector::kWords;
  const std::int64_t vectors_a_plane = columns.words / kWide;
  const std::int64_t vectors = columns.planes * vectors_a_plane;
  const auto offset = [=](std::int64_t v) {
    return v / vectors_a_plane * columns.plane_stride + v % vectors_a_plane * kWide;
  };
  std::uint64_t* const levels = scratch;
  std::uint64_t* const waiting = scratch + kCounterLevels * vectors * kWide;
  const auto level_at = [=](std::int64_t v, std::int64_t level) {
    return levels + (v * kCounterLevels + level) * kWide;
  };
  const auto waiting_at = [=](std::int64_t v, std::int64_t level) {
    return waiting + (v * kCounterLevels + level) * kWide;
  };

  std::int64_t used = 3;
  for (std::int64_t v = 0; v < vectors; ++v)
    for (std::int64_t level = 0; level < used; ++level) Vector::zero().store(level_at(v, level));

  constexpr std::int64_t kAhead = 16;  // columns whose bits are fetched early; 8 to 64 measured alike on 18 MB of bits
  const std::int64_t groups = count / 8;
  for (std::int64_t group = 0; group < groups; ++group) {
    const std::uint64_t* column[8];
    for (std::int64_t q = 0; q < 8; ++q) column[q] = columns.bits + slots[group * 8 + q] * columns.stride;
    const std::int64_t ahead = count - (group * 8 + kAhead) < 8 ? count - (group * 8 + kAhead) : 8;
    for (std::int64_t q = 0; q < ahead; ++q) {
      const std::uint64_t* next = columns.bits + slots[group * 8 + kAhead + q] * columns.stride;
      for (std::int64_t plane = 0; plane < columns.planes; ++plane)
        for (std::int64_t w = 0; w < columns.words; w += 8) __builtin_prefetch(next + plane * columns.plane_stride + w);
    }
    // The levels at which a carry meets a waiting vector are the low set bits of the group's number.
    std::int64_t top = 3;
    for (std::int64_t bits = group; (bits & 1) != 0; bits >>= 1) ++top;
    for (; used <= top; ++used)
      for (std::int64_t v = 0; v < vectors; ++v) Vector::zero().store(level_at(v, used));
    for (std::int64_t v = 0; v < vectors; ++v) {
      const std::int64_t own_offset = offset(v);
      const auto load = [&](std::int64_t q) { return Vector::load(column[q] + own_offset); };
      std::uint64_t* const own = level_at(v, 0);
      Vector ones = Vector::load(own);
      Vector twos = Vector::load(own + kWide);
      Vector fours = Vector::load(own + 2 * kWide);
      Vector twos_a, twos_b, fours_a, fours_b, carry;
      add(ones, load(0), load(1), twos_a, ones);
      add(ones, load(2), load(3), twos_b, ones);
      add(twos, twos_a, twos_b, fours_a, twos);
      add(ones, load(4), load(5), twos_a, ones);
      add(ones, load(6), load(7), twos_b, ones);
      add(twos, twos_a, twos_b, fours_b, twos);
      add(fours, fours_a, fours_b, carry, fours);
      ones.store(own);
      twos.store(own + kWide);
      fours.store(own + 2 * kWide);
      for (std::int64_t level = 3; level < top; ++level) {
        Vector sum = Vector::load(level_at(v, level));
        add(sum, Vector::load(waiting_at(v, level)), carry, carry, sum);
        sum.store(level_at(v, level));
      }
      carry.store(waiting_at(v, top));
    }
  }

  for (std::int64_t v = 0; v < vectors; ++v) {
    const int plane_shift = shift + static_cast<int>(v / vectors_a_plane);
    std::uint32_t* const own_sums = sums + (v % vectors_a_plane) * kWide * 64;
    const std::uint64_t* planes[2 * kCounterLevels + 8];
    std::uint32_t worth[2 * kCounterLevels + 8];
    int terms = 0;
    const auto term = [&](const std::uint64_t* plane, std::int64_t level) {
      planes[terms] = plane;
      worth[terms++] = std::uint32_t{1} << (level + plane_shift);
    };
    for (std::int64_t level = 0; level < used; ++level) {
      if (groups > 0) term(level_at(v, level), level);
      if (level >= 3 && (groups >> (level - 3) & 1) != 0) term(waiting_at(v, level), level);
    }
    for (std::int64_t e = groups * 8; e < count; ++e) term(columns.bits + slots[e] * columns.stride + offset(v), 0);
    Vector::expand(planes, worth, terms, own_sums);
  }
}
