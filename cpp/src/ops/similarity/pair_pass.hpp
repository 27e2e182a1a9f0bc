// The pass that every similarity kind shares: each row is summed up against block after block of the others, and the few
// pairs that can still matter are scored.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <type_traits>
#include <vector>

#include "base/big_array.hpp"
#include "base/per_worker.hpp"
#include "kernels/pairs/kernel.hpp"
#include "ops/similarity/entry_weights.hpp"
#include "ops/similarity/formula.hpp"
#include "ops/similarity/neighbor_store.hpp"
#include "ops/similarity/pair_modes.hpp"
#include "ops/similarity/partner_block.hpp"
#include "ops/similarity/row_order.hpp"
#include "recocore/similarity.hpp"

namespace recocore {

/// What a pass works on; all of it must outlive the pass.
struct PairInput {
  const CsrView& matrix;
  const SimilarityParams& params;
  const EntryWeights& weights;
  const Formula& formula;
  const Execution& execution;
};

/// Sums are float64 or exact integers, in the order of the columns, so neither blocks nor threads nor instruction sets
/// show in the result. All pairs: a row meets those before it in the order of ranks, and each pair is offered to both of
/// its rows. Some rows: these meet every row, and only they get neighbours.
template <typename Mode>
class PairPass {
 public:
  /// `scale` multiplies a value to make it the integer of IntegerMode; `unit` is what a sum of 1 stands for.
  PairPass(const PairInput& input, int planes, float scale, double unit)
      : input_(input),
        order_(input.matrix),
        planes_(Mode::kBits ? planes : 0),
        scale_(scale),
        unit_(unit),
        support_(kMoments || (!kCounts && needs_support(input.params))) {}

  /// The neighbours of every row, or of the given ones in the order given.
  [[nodiscard]] CsrMatrix run(const std::optional<std::span<const std::int32_t>>& rows, MemoryBudget& budget) {
    const CsrView& matrix = input_.matrix;
    const std::int64_t compared = rows ? std::ssize(*rows) : matrix.rows;
    const float least = input_.params.threshold.value_or(-std::numeric_limits<float>::infinity());
    NeighborStore store(compared, input_.params.k, least, budget);
    PerWorker<Scratch> workers(input_.execution);
    Block block;
    prepare_figures();
    for (std::int64_t begin = 0; begin < matrix.rows; begin = block.end()) {
      block.build(
          matrix, order_, begin, block_end(begin),
          [this](std::int64_t r, std::int32_t c, float v) { return weight(r, c, v); }, planes_, support_,
          kBitBytesEachThread * resolve_threads(input_.execution.num_threads), input_.execution);
      const std::int64_t first = rows ? 0 : begin;
      parallel_for(input_.execution, compared - first, kRowsEachChunk,
                   [&](std::int64_t chunk_begin, std::int64_t chunk_end, int worker) {
                     Scratch& mine = workers.get(worker, [] { return Scratch(); });
                     for (std::int64_t n = first + chunk_begin; n < first + chunk_end; ++n) {
                       checkpoint();
                       if (rows) {
                         compare((*rows)[at(n)], n, false, block, store, mine);
                       } else {
                         compare(order_.row[at(n)], order_.row[at(n)], true, block, store, mine);
                       }
                     }
                   });
    }
    if (input_.params.include_self) offer_selves(rows, store);
    return store.finish(matrix.rows, input_.execution);
  }

 private:
  using Sum = typename Mode::Sum;
  using Block = PartnerBlock<Mode>;

  static constexpr bool kCounts = std::is_same_v<Mode, CountMode>;
  static constexpr bool kMoments = std::is_same_v<Mode, MomentMode>;
  static constexpr std::int64_t kRowsEachChunk = 8;  // few, so that a monitor is asked often even where rows are heavy

  /// One thread's memory for the block at hand.
  struct Scratch {
    std::int64_t block_begin = -1;
    std::vector<Sum> sums;               // one a partner, zero between rows
    std::vector<std::uint32_t> support;  // the numbers of common columns, where they are needed beside sums
    std::vector<float> y;                // what partners ask for, as ScreenTerms has it
    std::vector<float> z;
    std::vector<std::int32_t> kept;
    std::vector<std::int32_t> listed;                  // positions in the row of columns with lists
    std::array<std::vector<std::int32_t>, 4> by_bit;   // slots of columns with bits, by the bits of the row's weight
    std::vector<std::int32_t> slots;                   // all slots
    BigArray<std::uint64_t> counters;
    std::vector<NeighborKey> own;
  };

  template <typename T>
  static std::size_t at(T i) noexcept {
    return static_cast<std::size_t>(i);
  }

  static std::int64_t padded(std::int64_t count) noexcept {
    return (count + kernels::kPairPadding - 1) / kernels::kPairPadding * kernels::kPairPadding;
  }

  [[nodiscard]] double weight(std::int64_t row, std::int32_t column, float value) const {
    if constexpr (kCounts) return 1.0;
    if constexpr (std::is_same_v<Mode, IntegerMode>) return value * scale_;
    if constexpr (std::is_same_v<Mode, FloatMode>) return value;
    return input_.weights(row, column, value);
  }

  /// Where the block that starts at rank `begin` ends. Crowded rows come in blocks of 1024, whose bits for 138,000
  /// columns take 18 MB; thin ones in blocks as large as their sums fit the cache and their lists the memory.
  [[nodiscard]] std::int64_t block_end(std::int64_t begin) const {
    const CsrView& matrix = input_.matrix;
    const auto count = [&](std::int64_t r) { return std::ssize(matrix.row(order_.row[at(r)])); };
    const std::int64_t most_entries = kListBytesEachThread * resolve_threads(input_.execution.num_threads) /
                                      static_cast<std::int64_t>(sizeof(typename Mode::Entry) + sizeof(std::uint32_t));
    std::int64_t end = begin;
    for (std::int64_t entries = 0; end < matrix.rows && end - begin < Mode::kMostPartners; ++end) {
      if (Mode::kBits && end - begin == kCrowdedPartners && entries > kCrowdedEntries * matrix.cols) break;
      entries += count(end);
      if (entries > most_entries && end > begin) break;
    }
    return end;
  }

  static constexpr std::int64_t kCrowdedPartners = 1024;
  static constexpr std::int64_t kCrowdedEntries = 4;  // on average in a column
  static constexpr std::int64_t kBitBytesEachThread = std::int64_t{32} << 20;
  static constexpr std::int64_t kListBytesEachThread = std::int64_t{24} << 20;

  void prepare_figures() {
    if (!input_.formula.has_bars()) return;
    figures_.assign(at(padded(input_.matrix.rows) + Mode::kMostPartners), 0.0F);
    for (std::size_t r = 0; r < order_.row.size(); ++r) figures_[r] = input_.formula.partner_figure(order_.row[r]);
  }

  /// Makes a thread's memory fit a block that it has not seen yet.
  void enter(const Block& block, bool both, const NeighborStore& store, Scratch& mine) const {
    if (mine.block_begin == block.begin()) return;
    mine.block_begin = block.begin();
    const std::size_t size = at(std::max(padded(block.size()), 64 * block.weight_bits(block.size()).words));
    if (mine.sums.size() < size) mine.sums.resize(size);
    if (support_ && mine.support.size() < size) mine.support.resize(size);
    mine.kept.resize(size);
    mine.y.assign(size, 0.0F);
    mine.z.assign(size, std::numeric_limits<float>::infinity());
    if (!both) return;
    for (std::int64_t j = 0; j < block.size(); ++j) ask(j, store.bound(order_.row[at(block.begin() + j)]), block, mine);
  }

  /// Notes what partner j asks for.
  void ask(std::int64_t j, float bound, const Block& block, Scratch& mine) const {
    const Formula::Bar bar =
        input_.formula.has_bars() ? scaled_bar(order_.row[at(block.begin() + j)], bound) : Formula::Bar{0.0F, bound};
    mine.y[at(j)] = bar.alpha;
    mine.z[at(j)] = bar.beta;
  }

  /// Sums row i up with the block and offers the pairs that matter: to row i, which the store knows as `owner`, and if
  /// `both` to the partners, which are then only those before i.
  void compare(std::int64_t i, std::int64_t owner, bool both, const Block& block, NeighborStore& store, Scratch& mine) {
    enter(block, both, store, mine);
    const std::int64_t rank = order_.rank[at(i)];
    const bool diagonal = both && rank < block.end();
    const std::int64_t count = diagonal ? rank - block.begin() : block.size();
    if (count == 0 || input_.matrix.row(i).empty()) return;
    sum_up(i, diagonal, count, block, mine);
    const std::int64_t kept = screen(i, owner, count, block, store, mine);
    offer(i, owner, both, kept, block, store, mine);
    const auto used = at(padded(count));
    std::fill_n(mine.sums.begin(), used, Sum{});
    if (support_) std::fill_n(mine.support.begin(), used, 0U);
  }

  void sum_up(std::int64_t i, bool diagonal, std::int64_t count, const Block& block, Scratch& mine) const {
    const auto columns = input_.matrix.row(i);
    const auto values = input_.matrix.row_values(i);
    std::span<const std::int32_t> listed;
    if constexpr (Mode::kBits) {
      if (block.has_bits()) {
        sort_columns(columns, values, block, mine);
        listed = mine.listed;
        count_bits(count, block, mine);
      }
    }
    const bool all_listed = !(Mode::kBits && block.has_bits());
    const std::int64_t visits = all_listed ? std::ssize(columns) : std::ssize(listed);
    const std::uint32_t* const ends = diagonal ? block.own_list_ends(order_.rank[at(i)]) : nullptr;
    const auto position = [&](std::int64_t v) { return all_listed ? v : static_cast<std::int64_t>(listed[at(v)]); };
    constexpr std::int64_t kAhead = 16;  // visits whose lists are fetched early; 8 and 32 were slower
    for (std::int64_t v = 0; v < visits; ++v) {
      if (v + kAhead < visits) {
        const auto* const next = block.list(columns[at(position(v + kAhead))]);
        __builtin_prefetch(next);
        __builtin_prefetch(reinterpret_cast<const char*>(next) + 64);
      }
      const auto e = at(position(v));
      const double w = weight(i, columns[e], values[e]);
      const auto* const last = ends != nullptr ? block.lists() + ends[e] : block.list_end(columns[e]);
      for (const auto* entry = block.list(columns[e]); entry != last; ++entry) {
        Mode::add(mine.sums[entry->partner], w, *entry);
        if (support_) ++mine.support[entry->partner];
      }
    }
  }

  /// Splits a row's columns into those with lists and those with bits.
  void sort_columns(std::span<const std::int32_t> columns, std::span<const float> values, const Block& block,
                    Scratch& mine) const {
    const std::size_t n = columns.size();
    mine.listed.resize(n + 1);
    mine.slots.resize(n + 1);
    std::size_t listed = 0;
    std::size_t slots = 0;
    for (std::size_t e = 0; e < n; ++e) {  // no branch: which of the two a column is cannot be foreseen
      const std::int32_t slot = block.slot(columns[e]);
      const bool is_listed = slot == Block::kListed;
      mine.listed[listed] = static_cast<std::int32_t>(e);
      mine.slots[slots] = slot;
      listed += is_listed ? 1 : 0;
      slots += is_listed ? 0 : 1;
    }
    mine.listed.resize(listed);
    mine.slots.resize(slots);
    if constexpr (std::is_same_v<Mode, IntegerMode>) {
      for (int bit = 0; bit < planes_; ++bit) {
        std::vector<std::int32_t>& with_bit = mine.by_bit[at(bit)];
        with_bit.resize(n + 1);
        std::size_t found = 0;
        for (std::size_t e = 0; e < n; ++e) {
          const std::int32_t slot = block.slot(columns[e]);
          with_bit[found] = slot;
          const auto integer = static_cast<unsigned>(values[e] * scale_);
          found += slot != Block::kListed && (integer >> bit & 1U) != 0 ? 1 : 0;
        }
        with_bit.resize(found);
      }
    }
  }

  void count_bits(std::int64_t count, const Block& block, Scratch& mine) const {
    const kernels::PairKernels& kernel = kernels::pairs();
    const kernels::BitColumns columns = block.weight_bits(count);
    std::uint64_t* const counters = mine.counters.resize(2 * kernels::kCounterLevels * columns.planes * columns.words);
    const auto add = [&](const kernels::BitColumns& bits, const std::vector<std::int32_t>& slots, int shift,
                         std::vector<std::uint32_t>& sums) {
      kernel.count_bits(bits, slots.data(), std::ssize(slots), shift, counters, sums.data());
      std::fill(sums.begin() + count, sums.begin() + 64 * bits.words, 0U);  // partners after the last one asked for
    };
    if constexpr (std::is_same_v<Mode, IntegerMode>) {
      for (int bit = 0; bit < planes_; ++bit) add(columns, mine.by_bit[at(bit)], bit, mine.sums);
      if (support_) add(block.presence_bits(count), mine.slots, 0, mine.support);
    } else {
      add(columns, mine.slots, 0, mine.sums);
    }
  }

  /// Puts the positions of the pairs to score into mine.kept and returns their number.
  [[nodiscard]] std::int64_t screen(std::int64_t i, std::int64_t owner, std::int64_t count, const Block& block,
                                    const NeighborStore& store, Scratch& mine) const {
    if constexpr (!kMoments) {
      if (input_.formula.has_bars()) return screen_by_bars(i, owner, count, block, store, mine);
    }
    const float bound = store.bound(owner);
    std::int64_t kept = 0;
    for (std::int64_t j = 0; j < count; ++j) {
      if constexpr (kMoments) {
        if (mine.support[at(j)] == 0) continue;
      } else {
        if (mine.sums[at(j)] == Sum{}) continue;
        if (kCounts && input_.formula.has_likelihood()) {
          const std::int32_t partner = order_.row[at(block.begin() + j)];
          const float lower = mine.z[at(j)] < bound ? mine.z[at(j)] : bound;
          if (input_.formula.likelihood_below(static_cast<double>(mine.sums[at(j)]), i, partner, lower)) continue;
        }
      }
      mine.kept[at(kept++)] = static_cast<std::int32_t>(j);
    }
    return kept;
  }

  [[nodiscard]] std::int64_t screen_by_bars(std::int64_t i, std::int64_t owner, std::int64_t count, const Block& block,
                                            const NeighborStore& store, Scratch& mine) const {
    const kernels::PairKernels& kernel = kernels::pairs();
    const float* const x = figures_.data() + block.begin();
    const std::int64_t n = padded(count);
    const auto least = static_cast<std::uint32_t>(
        kCounts ? std::min<std::int64_t>(input_.params.min_support, std::numeric_limits<std::uint32_t>::max()) : 1);
    const auto reaching = [&](float bound) {
      const Formula::Bar bar = scaled_bar(i, bound);
      if constexpr (std::is_same_v<Sum, std::uint32_t>) {
        return kernel.count_at_least_u32(mine.sums.data(), n, least, x, bar.alpha, bar.beta);
      } else {
        return kernel.count_at_least_f64(mine.sums.data(), n, x, bar.alpha, bar.beta);
      }
    };
    const Formula::Bar own = scaled_bar(i, raised_bound(store.bound(owner), reaching));
    const float figure = input_.formula.partner_figure(i);
    const kernels::ScreenTerms terms{x, mine.y.data(), mine.z.data(), own.alpha, own.beta, figure};
    if constexpr (std::is_same_v<Sum, std::uint32_t>) {
      return kernel.screen_u32(mine.sums.data(), n, least, terms, mine.kept.data());
    } else {
      return kernel.screen_f64(mine.sums.data(), n, terms, mine.kept.data());
    }
  }

  [[nodiscard]] Formula::Bar scaled_bar(std::int64_t i, float bound) const noexcept {
    const Formula::Bar bar = input_.formula.bar(i, bound);
    return {static_cast<float>(bar.alpha / unit_), static_cast<float>(bar.beta / unit_)};
  }

  /// A higher bound that at least k of the block's scores reach, where far more reach the given one: found by halving
  /// the range of float32 numbers, each step a pass over the sums.
  template <typename Reaching>
  [[nodiscard]] float raised_bound(float bound, const Reaching& reaching) const {
    constexpr std::int64_t kSelf = 1;  // the row's pair with itself may be among the sums
    if (!input_.params.k || *input_.params.k > Mode::kMostPartners) return bound;
    if (input_.params.shrinkage > 0.0 || support_) return bound;  // a sum says too little of the score
    const std::int64_t wanted = *input_.params.k + kSelf;
    if (reaching(bound) <= 2 * wanted) return bound;
    auto low = std::bit_cast<std::uint32_t>(std::max(bound, 1e-30F));
    auto high = std::bit_cast<std::uint32_t>(1e30F);
    if (reaching(std::bit_cast<float>(low)) < wanted) return bound;
    while (high - low > 1) {
      const std::uint32_t middle = low + (high - low) / 2;
      const std::int64_t found = reaching(std::bit_cast<float>(middle));
      (found < wanted ? high : low) = middle;
      if (found >= wanted && found <= wanted + wanted / 2) break;
    }
    constexpr float kSlack = 1e-5F;  // more than twice that of the bars that were counted with
    return std::max(bound, std::bit_cast<float>(low) * (1.0F - kSlack));
  }

  [[nodiscard]] PairSums sums_of(std::int64_t j, const Scratch& mine) const {
    PairSums sums;
    if constexpr (kMoments) {
      const Sum& found = mine.sums[at(j)];
      sums = {static_cast<double>(mine.support[at(j)]), found.xy, found.x, found.y, found.xx, found.yy};
    } else {
      sums.xy = static_cast<double>(mine.sums[at(j)]) * unit_;
      // Without shrinkage and with any support, that there is a sum is all that the number of columns says.
      sums.n = kCounts ? static_cast<double>(mine.sums[at(j)]) : support_ ? static_cast<double>(mine.support[at(j)]) : 1.0;
    }
    return sums;
  }

  void offer(std::int64_t i, std::int64_t owner, bool both, std::int64_t kept, const Block& block, NeighborStore& store,
             Scratch& mine) const {
    const Formula& formula = input_.formula;
    const auto min_support = static_cast<double>(input_.params.min_support);
    const float bound = store.bound(owner);
    mine.own.clear();
    for (std::int64_t position = 0; position < kept; ++position) {
      const std::int64_t j = mine.kept[at(position)];
      const std::int32_t partner = order_.row[at(block.begin() + j)];
      const PairSums sums = sums_of(j, mine);
      if (partner == i || sums.n < min_support) continue;
      const float score = formula.score(sums, i, partner);
      if (score != 0.0F && score >= bound) mine.own.push_back(neighbor_key(score, partner));
      if (!both) continue;
      const float reverse = formula.symmetric() ? score : formula.score(sums, partner, i);
      float asked = store.bound(partner);
      if (reverse != 0.0F && reverse >= asked) {
        const NeighborKey key = neighbor_key(reverse, static_cast<std::int32_t>(i));
        asked = store.offer(partner, {&key, 1});
      }
      ask(j, asked, block, mine);
    }
    if (!mine.own.empty()) store.offer(owner, mine.own);
  }

  /// Offers each row to itself.
  void offer_selves(const std::optional<std::span<const std::int32_t>>& rows, NeighborStore& store) const {
    const std::int64_t compared = rows ? std::ssize(*rows) : input_.matrix.rows;
    parallel_for(input_.execution, compared, 64, [&](std::int64_t begin, std::int64_t end, int) {
      for (std::int64_t owner = begin; owner < end; ++owner) {
        const std::int64_t i = rows ? (*rows)[at(owner)] : owner;
        const auto n = static_cast<double>(input_.matrix.row(i).size());
        if (n < static_cast<double>(input_.params.min_support)) continue;
        PairSums sums{n, n, 0.0, 0.0, 0.0, 0.0};
        if (sums_needed(input_.params.kind) != SumsNeeded::counts) {
          const double square = input_.weights.square(i);
          const double total = kMoments ? input_.weights.total(i) : 0.0;
          sums = {n, square, total, total, square, square};
        }
        const float score = input_.formula.score(sums, i, i);
        if (score == 0.0F) continue;
        const NeighborKey key = neighbor_key(score, static_cast<std::int32_t>(i));
        store.offer(owner, {&key, 1});
      }
    });
  }

  const PairInput& input_;
  RowOrder order_;
  int planes_;
  float scale_;
  double unit_;
  bool support_;
  std::vector<float> figures_;  // Formula::partner_figure by rank
};

}  // namespace recocore
