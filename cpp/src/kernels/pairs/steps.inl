// Screening counts by steps, given what a word of 64 partners takes. Included inside an anonymous namespace, so that no
// two files share a compiled copy.

/// The words of `reaching(counts, least)` that have a bit set, for each step's partners. Without a branch on a word:
/// whether it has any is not foreseeable.
template <typename Count, typename Reaching>
std::int64_t screen_steps(const Count* counts, const CountStep* steps, std::int64_t count, std::uint64_t* words,
                          std::int32_t* places, const Reaching& reaching) noexcept {
  std::int64_t n = 0;
  for (std::int64_t s = 0; s < count; ++s) {
    const CountStep step = steps[s];  // copied, for the compiler cannot know that no word is a step
    auto place = static_cast<std::int32_t>(step.begin / 64);
    for (std::int64_t j = step.begin; j < step.end; j += 64, ++place) {
      const std::uint64_t word = reaching(counts + j, step.least);
      words[n] = word;
      places[n] = place;
      n += word != 0 ? 1 : 0;
    }
  }
  return n;
}
