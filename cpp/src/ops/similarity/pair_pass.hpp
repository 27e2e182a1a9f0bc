// The pass that every similarity kind shares: each row is summed up against block after block of the others, and the
// few pairs that can still matter are scored.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <type_traits>
#include <vector>

#include "base/big_array.hpp"
#include "base/per_worker.hpp"
#include "base/stage.hpp"
#include "kernels/pairs/kernel.hpp"
#include "ops/similarity/entry_weights.hpp"
#include "ops/similarity/formula.hpp"
#include "ops/similarity/neighbor_store.hpp"
#include "ops/similarity/pair_input.hpp"
#include "ops/similarity/pair_modes.hpp"
#include "ops/similarity/partner_block.hpp"
#include "ops/similarity/rough_selection.hpp"
#include "ops/similarity/row_order.hpp"
#include "recocore/similarity.hpp"

namespace recocore {

/// Which pairs a pass sums up.
struct PairPlan {
  /// Only these rows are compared, and get neighbours in this order; nothing: all.
  std::optional<std::span<const std::int32_t>> rows;
  /// Whether each pair is summed up once and offered to both of its rows. That halves the sums, but offering to a row
  /// that is not at hand costs more: worth it where a pair has many common columns. Only for all rows.
  bool both = false;
  /// Whether rows meet so few of a block's partners that these are noted as they are met, instead of looked for in all
  /// sums afterwards.
  bool sparse = false;
  /// Whether rows meet enough of them that StepPass, where it serves and pairs are offered to one row, is faster.
  bool by_steps = false;
};

/// Sums are float64 or exact integers, in the order of the columns, so neither plan nor blocks nor threads nor
/// instruction sets show in the result.
template <typename Mode>
class PairPass {
 public:
  /// `scale` multiplies a value to make it the integer of IntegerMode; `unit` is what a sum of 1 stands for.
  PairPass(const PairInput& input, const PairPlan& plan, int planes = 0, float scale = 1.0F, double unit = 1.0)
      : input_(input),
        order_(input.order),
        plan_(plan),
        planes_(Mode::kBits && !plan.sparse ? planes : 0),
        scale_(scale),
        unit_(unit),
        support_(kMoments || (!kCounts && (plan.sparse || needs_support(input.params)))) {}

  /// Offers the store the pairs with partners of the ranks [begin, end): of the rows of the plan or, where pairs are
  /// offered to both, of the rows after the partner.
  void run(std::int64_t begin, std::int64_t end, NeighborStore& store) {
    const CsrView& matrix = input_.matrix;
    const std::int64_t compared = plan_.rows ? std::ssize(*plan_.rows) : matrix.rows;
    PerWorker<Scratch> workers(input_.execution);
    Block block;
    prepare_figures();
    const auto share_before = [&](std::int64_t rank) {
      return static_cast<double>(rank) / static_cast<double>(std::max<std::int64_t>(1, matrix.rows));
    };
    for (; begin < end; begin = block.end()) {
      const std::int64_t next = block_end(begin, end);
      const Stage building(input_.execution, share_before(begin), share_before(begin));
      block.build(
          matrix, order_, begin, next, [this](std::int64_t r, std::int32_t c, float v) { return weight(r, c, v); },
          planes_, support_, kBitBytesEachThread * resolve_threads(input_.execution.num_threads), building.execution());
      const Stage summing(input_.execution, share_before(begin), share_before(next));
      const std::int64_t first = plan_.both ? begin : 0;
      parallel_for(summing.execution(), compared - first, kRowsEachChunk,
                   [&](std::int64_t chunk_begin, std::int64_t chunk_end, int worker) {
                     Scratch& mine = workers.get(worker, [] { return Scratch(); });
                     for (std::int64_t n = first + chunk_begin; n < first + chunk_end; ++n) {
                       checkpoint();
                       const std::int64_t i = plan_.rows ? (*plan_.rows)[at(n)] : order_.row[at(n)];
                       compare(i, plan_.rows ? n : i, block, store, mine);
                     }
                   });
    }
  }

 private:
  using Sum = Mode::Sum;
  using Block = PartnerBlock<Mode>;

  static constexpr bool kCounts = std::is_base_of_v<CountMode, Mode>;
  static constexpr bool kMoments = std::is_same_v<Mode, MomentMode>;
  static constexpr std::int64_t kRowsEachChunk = 8;  // few, so that a monitor is asked often even where rows are heavy

  /// A column that has a list: where that starts, and the column's position in the row.
  struct Listed {
    std::uint32_t start;
    std::int32_t position;
  };

  /// One thread's memory for the block at hand.
  struct Scratch {
    std::int64_t block_begin = -1;
    std::vector<Sum> sums;               // one a partner, zero between rows
    std::vector<std::uint32_t> support;  // the numbers of common columns, where they are needed beside sums
    std::vector<float> y;                // what partners ask for, as ScreenTerms has it
    std::vector<float> z;
    std::vector<std::int32_t> kept;
    std::vector<std::int32_t> touched;  // where the plan is sparse
    std::int64_t touched_end = 0;
    std::vector<float> scores;                        // rough ones
    std::vector<std::int32_t> positions;              // that they belong to, where these are a sample
    std::vector<Listed> listed;                       // columns with lists
    std::array<std::vector<std::int32_t>, 4> by_bit;  // slots of columns with bits, by the bits of the row's weight
    std::vector<std::int32_t> slots;                  // all slots
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

  /// Where the block that starts at rank `begin` ends. Crowded rows come in blocks of crowded_partners(); thin ones
  /// in blocks as large as their sums fit the cache and their lists the memory.
  [[nodiscard]] std::int64_t block_end(std::int64_t begin, std::int64_t last) const {
    const CsrView& matrix = input_.matrix;
    const auto count = [&](std::int64_t r) { return std::ssize(matrix.row(order_.row[at(r)])); };
    const std::int64_t most_entries = kListBytesEachThread * resolve_threads(input_.execution.num_threads) /
                                      static_cast<std::int64_t>(sizeof(typename Mode::Entry));
    constexpr std::int64_t kNumbered = std::int64_t{1024} * 1024 * 1024;  // places in lists have 31 bits
    std::int64_t end = begin;
    for (std::int64_t entries = 0; end < last && end - begin < Mode::kMostPartners; ++end) {
      if (planes_ > 0 && end - begin == crowded_partners() && entries * kCrowdedShare > matrix.cols * (end - begin))
        break;
      entries += count(end);
      if (entries > std::min(most_entries, kNumbered) && end > begin) break;
    }
    return end;
  }

  /// So many that the bits of 138,000 columns take 70 MB at most; twice and half as many measured alike.
  [[nodiscard]] std::int64_t crowded_partners() const noexcept {
    constexpr std::int64_t kPlanes = 4096;
    constexpr std::int64_t kWhole = 64 * kernels::kBitWords;
    return std::max<std::int64_t>(1, kPlanes / (planes_ + (support_ ? 1 : 0)) / kWhole) * kWhole;
  }

  void prepare_figures() {
    if (!input_.formula.has_bars()) return;
    figures_.assign(at(padded(input_.matrix.rows) + Mode::kMostPartners), 0.0F);
    for (std::size_t r = 0; r < order_.row.size(); ++r) figures_[r] = input_.formula.partner_figure(order_.row[r]);
  }

  /// Makes a thread's memory fit a block that it has not seen yet.
  void enter(const Block& block, const NeighborStore& store, Scratch& mine) const {
    if (mine.block_begin == block.begin()) return;
    mine.block_begin = block.begin();
    const std::size_t size = 1 + at(std::max(padded(block.size()), 64 * block.weight_bits(block.size()).words));
    if (mine.sums.size() < size) mine.sums.resize(size);
    if (support_ && mine.support.size() < size) mine.support.resize(size);
    mine.kept.resize(size + 1);
    mine.scores.resize(size);
    mine.positions.resize(size);
    if (plan_.sparse) mine.touched.resize(size + 1);
    mine.y.assign(size, 0.0F);
    mine.z.assign(size, std::numeric_limits<float>::infinity());
    if (!plan_.both) return;
    for (std::int64_t j = 0; j < block.size(); ++j) ask(j, store.bound(order_.row[at(block.begin() + j)]), block, mine);
  }

  /// Notes what partner j asks for.
  void ask(std::int64_t j, float bound, const Block& block, Scratch& mine) const {
    const Formula::Bar bar =
        input_.formula.has_bars() ? scaled_bar(order_.row[at(block.begin() + j)], bound) : Formula::Bar{0.0F, bound};
    mine.y[at(j)] = bar.alpha;
    mine.z[at(j)] = bar.beta;
  }

  /// Sums row i up with the block and offers the pairs that matter: to row i, which the store knows as `owner`, and
  /// maybe to the partners, which are then only those before i.
  void compare(std::int64_t i, std::int64_t owner, const Block& block, NeighborStore& store, Scratch& mine) {
    enter(block, store, mine);
    const std::int64_t rank = order_.rank[at(i)];
    const bool diagonal = plan_.both && rank < block.end();
    const std::int64_t count = diagonal ? rank - block.begin() : block.size();
    if (count == 0 || input_.matrix.row(i).empty()) return;
    sum_up(i, diagonal, count, block, mine);
    const std::int64_t kept = screen(i, owner, count, block, store, mine);
    offer(i, owner, kept, block, store, mine);
    if (plan_.sparse) {
      for (std::int64_t t = 0; t < mine.touched_end; ++t) mine.sums[at(mine.touched[at(t)])] = Sum{};
      if (support_)
        for (std::int64_t t = 0; t < mine.touched_end; ++t) mine.support[at(mine.touched[at(t)])] = 0U;
      mine.touched_end = 0;
    } else {
      std::fill_n(mine.sums.begin(), at(padded(count)), Sum{});
      if (support_) std::fill_n(mine.support.begin(), at(padded(count)), 0U);
    }
  }

  void sum_up(std::int64_t i, bool diagonal, std::int64_t count, const Block& block, Scratch& mine) const {
    const auto columns = input_.matrix.row(i);
    const auto values = input_.matrix.row_values(i);
    sort_columns(columns, values, block, mine);
    if constexpr (Mode::kBits) {
      if (!mine.slots.empty()) count_bits(count, block, mine);
    }
    const std::uint32_t limit = diagonal ? static_cast<std::uint32_t>(count) : Mode::kNoPartner;
    const std::int64_t visits = std::ssize(mine.listed);
    std::int32_t* touched = mine.touched.data();
    constexpr std::int64_t kAhead = 16;  // visits whose lists are fetched early; 8 and 32 were slower
    for (std::int64_t v = 0; v < visits; ++v) {
      if (v + kAhead < visits) {
        const auto* const next = block.list(mine.listed[at(v + kAhead)].start);
        __builtin_prefetch(next);
        __builtin_prefetch(reinterpret_cast<const char*>(next) + 64);
      }
      const Listed visit = mine.listed[at(v)];
      const auto e = at(visit.position);
      const double w = weight(i, columns[e], values[e]);
      if (plan_.sparse) {
        touched = note_all(block.list(visit.start), limit, w, touched, mine);
      } else {
        add_all(block.list(visit.start), limit, w, mine);
      }
    }
    mine.touched_end = touched - mine.touched.data();
  }

  using Entry = Mode::Entry;

  /// Adds the partners before `limit`.
  void add_all(const Entry* entry, std::uint32_t limit, double w, Scratch& mine) const {
    Sum* const sums = mine.sums.data();  // copied to here, for the compiler cannot know that no sum is a pointer
    for (; entry->partner < limit; ++entry) {
      Mode::add(sums[entry->partner], w, *entry);
      if (support_) ++mine.support[entry->partner];
    }
  }

  /// Adds, and notes the partners that are met for the first time; without a branch, for that is not foreseeable.
  std::int32_t* note_all(const Entry* entry, std::uint32_t limit, double w, std::int32_t* touched,
                         Scratch& mine) const {
    Sum* const sums = mine.sums.data();
    std::uint32_t* const support = mine.support.data();
    for (; entry->partner < limit; ++entry) {
      const auto partner = entry->partner;
      *touched = static_cast<std::int32_t>(partner);
      if constexpr (kCounts) {
        touched += sums[partner] == 0 ? 1 : 0;
      } else {
        touched += support[partner]++ == 0 ? 1 : 0;
      }
      Mode::add(sums[partner], w, *entry);
    }
    return touched;
  }

  /// Splits a row's columns into those with lists and those with bits. Without branches: which of the two a column is
  /// cannot be foreseen.
  void sort_columns(std::span<const std::int32_t> columns, std::span<const float> values, const Block& block,
                    Scratch& mine) const {
    const std::size_t n = columns.size();
    mine.listed.resize(n + 1);
    mine.slots.resize(n + 1);
    for (int bit = 0; bit < integer_bits(); ++bit) mine.by_bit[at(bit)].resize(n + 1);
    Listed* listed = mine.listed.data();
    std::int32_t* slots = mine.slots.data();
    std::array<std::size_t, 4> by_bit{};
    for (std::size_t e = 0; e < n; ++e) {
      const typename Block::Place place = block.place(columns[e]);
      const unsigned has_bits = place.has_bits();
      *listed = {place.code, static_cast<std::int32_t>(e)};
      listed += has_bits ^ 1U;
      *slots = place.slot();
      slots += has_bits;
      if constexpr (std::is_same_v<Mode, IntegerMode>) {
        const unsigned integer = static_cast<unsigned>(values[e] * scale_) & (0U - has_bits);
        for (int bit = 0; bit < planes_; ++bit) {
          mine.by_bit[at(bit)][by_bit[at(bit)]] = place.slot();
          by_bit[at(bit)] += integer >> static_cast<unsigned>(bit) & 1U;
        }
      }
    }
    mine.listed.resize(at(listed - mine.listed.data()));
    mine.slots.resize(at(slots - mine.slots.data()));
    for (int bit = 0; bit < integer_bits(); ++bit) mine.by_bit[at(bit)].resize(by_bit[at(bit)]);
  }

  [[nodiscard]] int integer_bits() const noexcept { return std::is_same_v<Mode, IntegerMode> ? planes_ : 0; }

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
      if (input_.formula.has_bars()) {
        const float* const x = figures_.data() + block.begin();
        const float bound = store.bound(owner);
        if (plan_.sparse && !plan_.both && raises_bounds() && input_.formula.has_sharp_rough_scores())
          return screen_by_scores(i, bound, count, x, mine);
        const std::int64_t kept = screen_by_bars(i, bound, count, x, mine);
        return raises_bounds() && kept > 4 * *input_.params.k ? screen_again(i, bound, count, x, kept, mine) : kept;
      }
    }
    const float bound = store.bound(owner);
    std::int64_t kept = 0;
    const std::int64_t met = plan_.sparse ? mine.touched_end : count;
    for (std::int64_t n = 0; n < met; ++n) {
      const std::int64_t j = plan_.sparse ? mine.touched[at(n)] : n;
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

  /// The positions that reach `bound` for row i, or what their partner asks for.
  [[nodiscard]] std::int64_t screen_by_bars(std::int64_t i, float bound, std::int64_t count, const float* x,
                                            Scratch& mine) const {
    const kernels::PairKernels& kernel = kernels::pairs();
    const Formula::Bar own = scaled_bar(i, bound);
    const kernels::ScreenTerms terms{x,         mine.y.data(), mine.z.data(),
                                     own.alpha, own.beta,      input_.formula.partner_figure(i)};
    const auto least = static_cast<std::uint32_t>(
        kCounts ? std::min<std::int64_t>(input_.params.min_support, std::numeric_limits<std::int32_t>::max()) : 1);
    if (plan_.sparse) {
      std::int64_t kept = 0;
      for (std::int64_t t = 0; t < mine.touched_end; ++t) {  // without a branch, as above
        const std::int32_t j = mine.touched[at(t)];
        mine.kept[at(kept)] = j;
        kept += reaches(mine.sums[at(j)], own, x[j]) ||
                        (plan_.both && reaches(mine.sums[at(j)], partner_bar(j, mine), terms.g))
                    ? 1
                    : 0;
      }
      return kept;
    }
    if constexpr (std::is_same_v<Sum, std::uint16_t>) {
      return kernel.screen_u16(mine.sums.data(), padded(count), least, terms, mine.kept.data());
    } else if constexpr (std::is_same_v<Sum, std::uint32_t>) {
      return kernel.screen_u32(mine.sums.data(), padded(count), least, terms, mine.kept.data());
    } else if constexpr (std::is_same_v<Sum, double>) {
      return kernel.screen_f64(mine.sums.data(), padded(count), terms, mine.kept.data());
    } else {
      return 0;
    }
  }

  static bool reaches(Sum sum, Formula::Bar bar, float figure) noexcept {
    if constexpr (kMoments) {
      return true;
    } else {
      return static_cast<float>(sum) >= bar.alpha * figure + bar.beta;
    }
  }

  [[nodiscard]] static Formula::Bar partner_bar(std::int32_t j, const Scratch& mine) noexcept {
    return {mine.y[at(j)], mine.z[at(j)]};
  }

  /// Whether k pairs that reach a bound by their sums alone also reach it by their scores.
  [[nodiscard]] bool raises_bounds() const noexcept {
    return input_.params.k && *input_.params.k < Mode::kMostPartners && input_.params.shrinkage == 0.0 &&
           ((kCounts && !plan_.sparse) || input_.params.min_support <= 1);
  }

  /// Screens by a higher bound than `bound`, guessed from a sample of the pairs that reach that, so that about twice as
  /// many as needed stay; by `bound` again if the guess was too high.
  [[nodiscard]] std::int64_t screen_again(std::int64_t i, float bound, std::int64_t count, const float* x,
                                          std::int64_t kept, Scratch& mine) const {
    constexpr std::int64_t kSample = 384;
    constexpr std::int64_t kSelf = 1;  // the row's pair with itself may be among the sums
    const std::int64_t wanted = *input_.params.k + kSelf;
    const std::int64_t size = std::min(kSample, kept);
    for (std::int64_t s = 0; s < size; ++s) mine.positions[at(s)] = mine.kept[at(s * kept / size)];
    rough_scores(i, mine.positions.data(), size, x, mine);
    const float guess = score_reached_by(3 * wanted * size / (2 * kept), {mine.scores.data(), at(size)});
    if (!(guess > bound) || !(guess > 0.0F)) return kept;

    const std::int64_t fewer = screen_by_bars(i, guess, count, x, mine);
    const Formula::Bar own = scaled_bar(i, guess * kAbove);
    std::int64_t reaching = 0;
    for (std::int64_t n = 0; n < fewer; ++n) {
      const std::int32_t j = mine.kept[at(n)];
      reaching += reaches(mine.sums[at(j)], own, x[j]) ? 1 : 0;
    }
    return reaching >= wanted ? fewer : screen_by_bars(i, bound, count, x, mine);
  }

  /// Where few partners are met, all of them scored roughly: those that reach `bound` and may be among the best k.
  [[nodiscard]] std::int64_t screen_by_scores(std::int64_t i, float bound, std::int64_t count, const float* x,
                                              Scratch& mine) const {
    constexpr std::int64_t kSelf = 1;  // the row's pair with itself may be among the sums
    rough_scores(i, mine.touched.data(), mine.touched_end, x, mine);
    const std::int64_t wanted = *input_.params.k + kSelf;
    const float best =
        mine.touched_end > wanted ? score_reached_by(wanted, {mine.scores.data(), at(mine.touched_end)}) : 0.0F;
    const float least = best > 0.0F ? std::max(bound, best) : bound;
    if (std::abs(least) < kVanishing) return screen_by_bars(i, bound, count, x, mine);
    return kernels::pairs().keep_at_least(mine.scores.data(), mine.touched.data(), mine.touched_end,
                                          least - kRoughSlack * std::abs(least), mine.kept.data());
  }

  void rough_scores(std::int64_t i, const std::int32_t* positions, std::int64_t count, const float* x,
                    Scratch& mine) const {
    const kernels::RoughTerms terms = input_.formula.rough_terms(i, unit_);
    if constexpr (std::is_same_v<Sum, std::uint16_t>) {
      kernels::pairs().rough_scores_u16(mine.sums.data(), positions, count, x, terms, mine.scores.data());
    } else if constexpr (!kMoments) {
      for (std::int64_t n = 0; n < count; ++n) {
        const auto sum = static_cast<float>(mine.sums[at(positions[n])]);
        mine.scores[at(n)] = sum / (terms.base + terms.slope * x[positions[n]] + terms.own * sum);
      }
    }
  }

  [[nodiscard]] Formula::Bar scaled_bar(std::int64_t i, float bound) const noexcept {
    const Formula::Bar bar = input_.formula.bar(i, bound);
    return {static_cast<float>(bar.alpha / unit_), static_cast<float>(bar.beta / unit_)};
  }

  [[nodiscard]] PairSums sums_of(std::int64_t j, const Scratch& mine) const {
    PairSums sums;
    if constexpr (kMoments) {
      const Sum& found = mine.sums[at(j)];
      sums = {static_cast<double>(mine.support[at(j)]), found.xy, found.x, found.y, found.xx, found.yy};
    } else {
      sums.xy = static_cast<double>(mine.sums[at(j)]) * unit_;
      // Without shrinkage and with any support, that there is a sum is all that the number of columns says.
      sums.n = kCounts    ? static_cast<double>(mine.sums[at(j)])
               : support_ ? static_cast<double>(mine.support[at(j)])
                          : 1.0;
    }
    return sums;
  }

  void offer(std::int64_t i, std::int64_t owner, std::int64_t kept, const Block& block, NeighborStore& store,
             Scratch& mine) const {
    const Formula& formula = input_.formula;
    const auto min_support = static_cast<double>(input_.params.min_support);
    const NeighborKey bound = store.bound_key(owner);
    mine.own.clear();
    for (std::int64_t position = 0; position < kept; ++position) {
      const std::int64_t j = mine.kept[at(position)];
      const std::int32_t partner = order_.row[at(block.begin() + j)];
      const PairSums sums = sums_of(j, mine);
      if (partner == i || sums.n < min_support) continue;
      const float score = formula.score(sums, i, partner);
      if (const NeighborKey key = neighbor_key(score, partner); score != 0.0F && key >= bound) mine.own.push_back(key);
      if (!plan_.both) continue;
      const float reverse = formula.symmetric() ? score : formula.score(sums, partner, i);
      const NeighborKey key = neighbor_key(reverse, static_cast<std::int32_t>(i));
      const NeighborKey asked_key = store.bound_key(partner);
      const bool wanted = reverse != 0.0F && key >= asked_key;
      const float asked = wanted ? store.offer(partner, {&key, 1}) : score_of(asked_key);
      ask(j, asked, block, mine);
    }
    store.shorten(mine.own);
    if (!mine.own.empty()) store.offer(owner, mine.own);
  }

  const PairInput& input_;
  const RowOrder& order_;
  PairPlan plan_;
  int planes_;
  float scale_;
  double unit_;
  bool support_;
  std::vector<float> figures_;  // Formula::partner_figure by rank
};

}  // namespace recocore
