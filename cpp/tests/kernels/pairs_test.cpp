#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "base/big_array.hpp"
#include "kernels/pairs/kernel.hpp"
#include "recocore/device.hpp"

using namespace recocore::kernels;

TEST_CASE("count_bits equals counting one by one") {
  std::mt19937_64 random(1);
  constexpr std::int64_t kColumns = 300;
  for (const std::int64_t planes : {1, 3}) {
    for (const std::int64_t words : {8, 24}) {
      const std::int64_t plane_stride = words + 8;  // more bits than are to be counted
      const std::int64_t stride = planes * plane_stride + 8;
      recocore::BigArray<std::uint64_t> bits;
      bits.resize(kColumns * stride);
      for (std::int64_t w = 0; w < kColumns * stride; ++w) bits[w] = random() & random();
      // Around groups of eight columns, and enough of them for carries through many levels.
      for (const std::int64_t count : {0, 1, 7, 8, 9, 15, 16, 63, 64, 65, 120, 1000, 4095}) {
        CAPTURE(planes);
        CAPTURE(words);
        CAPTURE(count);
        std::vector<std::int32_t> slots;
        for (std::int64_t n = 0; n < count; ++n) slots.push_back(static_cast<std::int32_t>(random() % kColumns));
        std::vector<std::uint32_t> sums(static_cast<std::size_t>(64 * words), 5);
        std::vector<std::uint32_t> expected = sums;
        constexpr int kShift = 2;
        for (const std::int32_t slot : slots)
          for (std::int64_t plane = 0; plane < planes; ++plane)
            for (std::size_t j = 0; j < expected.size(); ++j) {
              const std::uint64_t word = bits[slot * stride + plane * plane_stride + static_cast<std::int64_t>(j) / 64];
              expected[j] += static_cast<std::uint32_t>(word >> (j % 64) & 1U) << (plane + kShift);
            }
        recocore::BigArray<std::uint64_t> scratch;
        scratch.resize(2 * kCounterLevels * planes * words);
        pairs().count_bits({bits.data(), stride, planes, plane_stride, words}, slots.data(), count, kShift,
                           scratch.data(), sums.data());
        CHECK(sums == expected);
      }
    }
  }
}

namespace {

struct Screened {
  std::int64_t count = 2 * kPairPadding;
  std::vector<float> x, y, z;
  ScreenTerms terms{};

  explicit Screened(unsigned seed) {
    std::mt19937 random(seed);
    std::uniform_real_distribution<float> uniform(0.0F, 4.0F);
    for (std::int64_t j = 0; j < count; ++j) {
      x.push_back(uniform(random));
      y.push_back(uniform(random));
      z.push_back(uniform(random));
    }
    terms = {x.data(), y.data(), z.data(), 2.0F, 1.0F, 3.0F};
  }

  [[nodiscard]] bool keeps(double sum, std::size_t j) const {
    return sum >= 2.0 * double(x[j]) + 1.0 || sum >= double(y[j]) * 3.0 + double(z[j]);
  }
};

template <typename Sum, typename Screen>
void check_screen(const Screen& screen) {
  const Screened input(7);
  std::mt19937 random(8);
  std::vector<Sum> sums;
  std::vector<std::int32_t> expected;
  for (std::int64_t j = 0; j < input.count; ++j) {
    sums.push_back(static_cast<Sum>(random() % 3 == 0 ? random() % 9 : 0));  // zeros in runs and alone
    const double sum = static_cast<double>(sums.back());
    if (sum >= 2.0 && input.keeps(sum, static_cast<std::size_t>(j))) expected.push_back(static_cast<std::int32_t>(j));
  }
  std::vector<std::int32_t> kept(static_cast<std::size_t>(input.count) + 1);
  kept.resize(static_cast<std::size_t>(screen(sums.data(), input.count, input.terms, kept.data())));
  CHECK(!expected.empty());
  CHECK(kept == expected);
}

}  // namespace

TEST_CASE("screens keep what passes either bar and the floor, in order") {
  constexpr std::uint32_t kFloor = 2;
  check_screen<std::uint16_t>([](const auto* sums, auto count, const auto& terms, auto* kept) {
    return pairs().screen_u16(sums, count, kFloor, terms, kept);
  });
  check_screen<std::uint32_t>([](const auto* sums, auto count, const auto& terms, auto* kept) {
    return pairs().screen_u32(sums, count, kFloor, terms, kept);
  });
  check_screen<double>([](const double* sums, std::int64_t count, const ScreenTerms& terms, std::int32_t* kept) {
    std::vector<double> high(sums, sums + count);
    for (double& sum : high) sum = sum >= kFloor ? sum : 0.0;  // the floor of float64 sums is "not zero"
    return pairs().screen_f64(high.data(), count, terms, kept);
  });
}

TEST_CASE("counts up to 2^32 - 1 are no negative numbers") {
  const Screened input(9);
  const std::vector<std::uint32_t> sums(static_cast<std::size_t>(input.count), 0xFFFFFFFFU);
  std::vector<std::int32_t> kept(static_cast<std::size_t>(input.count) + 1);
  CHECK(pairs().screen_u32(sums.data(), input.count, 1, input.terms, kept.data()) == input.count);
}

TEST_CASE("rough scores, their number and positions above a bound") {
  const Screened input(10);
  std::mt19937 random(11);
  std::vector<std::uint16_t> sums(static_cast<std::size_t>(input.count) + 1);
  for (std::uint16_t& sum : sums) sum = static_cast<std::uint16_t>(random());
  for (const std::int64_t count : {0, 1, 7, 8, 9, 15, 16, 17, 100}) {
    CAPTURE(count);
    std::vector<std::int32_t> positions;
    for (std::int64_t n = 0; n < count; ++n)
      positions.push_back(static_cast<std::int32_t>(random() % static_cast<unsigned>(input.count)));
    std::vector<float> scores(positions.size() + 1, -1.0F);
    const RoughTerms terms{1.0F, 2.0F, 0.5F};
    pairs().rough_scores_u16(sums.data(), positions.data(), count, input.x.data(), terms, scores.data());
    std::vector<std::int32_t> expected;
    constexpr float kBound = 1.5F;
    for (std::size_t n = 0; n < positions.size(); ++n) {
      const auto at = static_cast<std::size_t>(positions[n]);
      const double sum = sums[at];
      CHECK(scores[n] == doctest::Approx(sum / (1.0 + 2.0 * double(input.x[at]) + 0.5 * sum)).epsilon(1e-6));
      if (scores[n] >= kBound) expected.push_back(positions[n]);
    }
    CHECK(scores.back() == -1.0F);
    CHECK(pairs().count_at_least(scores.data(), count, kBound) == std::ssize(expected));
    std::vector<std::int32_t> kept(positions.size() + 16);
    kept.resize(
        static_cast<std::size_t>(pairs().keep_at_least(scores.data(), positions.data(), count, kBound, kept.data())));
    CHECK(kept == expected);
  }
}

namespace {

template <typename Count, typename Screen>
void check_steps(const Screen& screen) {
  std::mt19937 random(12);
  constexpr std::int64_t kCounts = 12 * kPairPadding;
  std::vector<Count> counts;
  constexpr unsigned kMost = std::numeric_limits<Count>::max();
  for (std::int64_t j = 0; j < kCounts; ++j)
    counts.push_back(
        static_cast<Count>(random() % 40 == 0 ? (random() % 5 == 0 ? kMost - random() % 3 : random() % 9) : 0));
  // Rising and falling, with a gap, and one that only the largest counts reach.
  const std::vector<CountStep> steps{{0, 128, 4}, {128, 192, 1}, {256, 448, 2}, {448, 512, kMost}, {512, kCounts, 1}};
  std::vector<std::int32_t> expected;
  for (const CountStep& step : steps)
    for (std::int64_t j = step.begin; j < step.end; ++j)
      if (counts[static_cast<std::size_t>(j)] >= step.least) expected.push_back(static_cast<std::int32_t>(j));
  std::vector<std::uint64_t> words(kCounts / 64 + 1);
  std::vector<std::int32_t> places(words.size());
  const std::int64_t found = screen(counts.data(), steps.data(), std::ssize(steps), words.data(), places.data());
  std::vector<std::int32_t> reached;
  for (std::size_t n = 0; n < static_cast<std::size_t>(found); ++n) {
    CHECK(words[n] != 0);
    for (std::int32_t bit = 0; bit < 64; ++bit)
      if ((words[n] >> static_cast<unsigned>(bit) & 1U) != 0) reached.push_back(64 * places[n] + bit);
  }
  CHECK(!expected.empty());
  CHECK(reached == expected);
  CHECK(screen(counts.data(), steps.data(), 0, words.data(), places.data()) == 0);
}

}  // namespace

TEST_CASE("screens by steps find what reaches its step, as words with any") {
  check_steps<std::uint8_t>(pairs().screen_steps_u8);
  check_steps<std::uint16_t>(pairs().screen_steps_u16);
}
