#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <random>
#include <vector>

#include "cuda/keys.cuh"
#include "cuda/settings.hpp"
#include "ops/cuda/halves.cuh"
#include "ops/similarity/neighbor_store.hpp"

namespace recocore::cuda {
namespace {

__global__ void select(Key* keys, std::int64_t n, std::int64_t k, Key* bound, std::int64_t* kept) {
  RECOCORE_SHARED(SelectScratch, scratch, 1);
  const Key found = bound_of_best(keys, n, k, *scratch);
  const std::int64_t count = keep_reaching(keys, n, found, *scratch);
  if (!is_first_thread()) return;
  *bound = found;
  *kept = count;
}

__global__ void sort(Key* keys, std::int64_t n) {
  sort_keys(keys, n);
}

std::vector<Key> random_keys(std::size_t n, unsigned seed, Key mask) {
  std::mt19937_64 random(seed);
  std::vector<Key> keys;
  while (keys.size() < n) {
    keys.push_back((random() & mask) | 1);
    if (keys.size() < n) continue;
    std::sort(keys.begin(), keys.end());
    keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  }
  std::shuffle(keys.begin(), keys.end(), random);
  return keys;
}

}  // namespace

TEST_CASE("the bound of the best is that of a sort, at any k") {
  const ScopedSettings restore;
  for (const std::uint64_t seed : {1, 2, 3}) {
    exec::settings().seed = seed;
    for (const std::size_t n : {1, 31, 32, 33, 257, 600}) {
      for (const Key mask : {~Key{0}, Key{0xffff0000ffff}}) {
        const std::vector<Key> keys = random_keys(n, static_cast<unsigned>(n), mask);
        std::vector<Key> sorted = keys;
        std::sort(sorted.begin(), sorted.end(), std::greater<>());
        for (const std::size_t k : {std::size_t{1}, n / 2, n}) {
          if (k < 1 || k > n) continue;
          std::vector<Key> mine = keys;
          Key bound = 0;
          std::int64_t kept = 0;
          launch(select, 1, 0, mine.data(), static_cast<std::int64_t>(n), static_cast<std::int64_t>(k), &bound, &kept);
          CHECK(kept == static_cast<std::int64_t>(k));
          CHECK(bound <= sorted[k - 1]);
          std::sort(mine.begin(), mine.begin() + static_cast<std::ptrdiff_t>(k), std::greater<>());
          CHECK(std::equal(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(k), mine.begin()));
        }
      }
    }
  }
}

TEST_CASE("keys are sorted, the best first") {
  for (const std::size_t n : {1, 2, 64, 1024}) {
    std::vector<Key> keys = random_keys(n, static_cast<unsigned>(n) + 1, ~Key{0});
    launch(sort, 1, 0, keys.data(), static_cast<std::int64_t>(n));
    CHECK(std::is_sorted(keys.begin(), keys.end(), std::greater<>()));
  }
}

TEST_CASE("a key is the host's, and gives its score and id back") {
  for (const float score : {-1e30F, -1.5F, -1e-40F, 1e-40F, 2.0F, 1e30F}) {
    for (const std::int32_t id : {0, 1, 12345, 2147483647}) {
      CHECK(key_of(score, id) == neighbor_key(score, id));
      CHECK(score_of_key(key_of(score, id)) == score);
      CHECK(id_of_key(key_of(score, id)) == id);
      CHECK(least_key_of(score) < key_of(score, id));
    }
  }
  CHECK(key_of(-0.0F, 3) == key_of(0.0F, 3));
}

TEST_CASE("halves are those that _Float16 rounds to, and what they are worth") {
  std::mt19937 random(5);
  std::vector<unsigned> patterns{0,           0x80000000U, 0x7f800000U, 0xff800000U, 0x477fefffU, 0x477ff000U,
                                 0x38800000U, 0x387fffffU, 0x33000000U, 0x33000001U, 0x00000001U};
  for (int i = 0; i < 20'000; ++i) patterns.push_back(static_cast<unsigned>(random()));
  for (int i = 0; i < 20'000; ++i)  // near the range of halves
    patterns.push_back((static_cast<unsigned>(random()) & 0x8fffffffU) | 0x30000000U);
  bool all = true;
  for (const unsigned bits : patterns) {
    const float value = __uint_as_float(bits);
    if (value != value) continue;
    Float16 half{};
    narrow(value, half);
    all = all && half.bits == std::bit_cast<std::uint16_t>(static_cast<_Float16>(value));
    all = all && widened(half) == static_cast<float>(std::bit_cast<_Float16>(half.bits));
    Bfloat16 brain{};
    narrow(value, brain);
    // The nearest of the two neighbours.
    const float below = __uint_as_float(bits & 0xffff0000U);
    const float above = __uint_as_float((bits & 0xffff0000U) + 0x10000U);
    const double to_below = std::fabs(static_cast<double>(value) - below);
    const double to_above = std::fabs(static_cast<double>(value) - above);
    const float nearest = to_below < to_above ? below : above;
    if (to_below != to_above && std::isfinite(above)) all = all && widened(brain) == nearest;
  }
  CHECK(all);
}

}  // namespace recocore::cuda
