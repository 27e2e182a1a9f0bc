#include "ops/similarity/id_order.hpp"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <functional>
#include <utility>

namespace recocore {
namespace {

// Scores of more ids than that leave the caches, and sorting is as fast.
constexpr std::int64_t kMostIds = 1'048'576;

std::size_t words_for(std::size_t bits) {
  return (bits + 63) / 64;
}

}  // namespace

IdOrder::IdOrder(std::int64_t ids) {
  if (ids > kMostIds) return;
  scores_.resize(static_cast<std::size_t>(ids));
  ids_.resize(words_for(scores_.size()));
  words_.resize(words_for(ids_.size()));
}

void IdOrder::write(std::span<NeighborKey> keys, std::int32_t* ids, float* scores) {
  if (ids_.empty()) {
    // Halves swapped, ids come first and rise as the numbers fall: plain numbers sort twice as fast as by a projection.
    for (NeighborKey& key : keys) key = std::rotl(key, 32);
    std::sort(keys.begin(), keys.end(), std::greater<>());
    for (const NeighborKey swapped : keys) {
      const NeighborKey key = std::rotl(swapped, 32);
      *ids++ = id_of(key);
      *scores++ = score_of(key);
    }
    return;
  }
  for (const NeighborKey key : keys) {
    const auto id = static_cast<std::size_t>(id_of(key));
    scores_[id] = score_of(key);
    ids_[id / 64] |= std::uint64_t{1} << (id % 64);
    words_[id / 4096] |= std::uint64_t{1} << (id / 64 % 64);
  }
  for (std::size_t w = 0; w < words_.size(); ++w) {
    for (std::uint64_t some = std::exchange(words_[w], 0); some != 0; some &= some - 1) {
      const std::size_t word = w * 64 + static_cast<std::size_t>(std::countr_zero(some));
      for (std::uint64_t bits = std::exchange(ids_[word], 0); bits != 0; bits &= bits - 1) {
        const std::size_t id = word * 64 + static_cast<std::size_t>(std::countr_zero(bits));
        *ids++ = static_cast<std::int32_t>(id);
        *scores++ = scores_[id];
      }
    }
  }
}

}  // namespace recocore
