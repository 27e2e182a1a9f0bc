#include "ops/similarity/step_pass.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>

#include "base/per_worker.hpp"
#include "base/stage.hpp"
#include "ops/similarity/rough_selection.hpp"

namespace recocore {
namespace {

constexpr std::int64_t kRowsEachChunk = 8;  // few, so that a monitor is asked often even where rows are heavy
constexpr float kNone = -std::numeric_limits<float>::infinity();

template <typename T>
std::size_t at(T i) noexcept {
  return static_cast<std::size_t>(i);
}

std::int64_t padded(std::int64_t count) noexcept {
  return (count + kernels::kPairPadding - 1) / kernels::kPairPadding * kernels::kPairPadding;
}

}  // namespace

bool StepPass::serves(const PairInput& input) {
  const auto& row = input.order.row;
  if (!input.params.k || input.params.shrinkage != 0.0 || !input.formula.has_sharp_rough_scores()) return false;
  constexpr std::int64_t kMost = std::numeric_limits<std::uint16_t>::max();
  if (!row.empty() && std::ssize(input.matrix.row(row.front())) > kMost) return false;
  std::int64_t falls = 0;
  for (std::size_t r = 1; r < row.size(); ++r) {
    const double before = input.formula.figure(row[r - 1]);
    const double figure = input.formula.figure(row[r]);
    if (figure > before) return false;
    falls += figure < before ? 1 : 0;
  }
  return falls < kMost;
}

StepPass::StepPass(const PairInput& input, std::optional<std::span<const std::int32_t>> rows, double unit)
    : input_(input),
      rows_(rows),
      unit_(unit),
      least_(static_cast<std::uint32_t>(
          std::min<std::int64_t>(input.params.min_support, std::numeric_limits<std::uint16_t>::max()))) {
  figure_.reserve(input.order.row.size());
  for (const std::int32_t r : input.order.row) {
    const double figure = input.formula.figure(r);
    if (sharp_figures_.empty() || figure < sharp_figures_.back()) {
      figures_.push_back(input.formula.partner_figure(r));
      sharp_figures_.push_back(figure);
    }
    figure_.push_back(static_cast<std::uint16_t>(figures_.size() - 1));
    ends_.resize(figures_.size());
    ends_.back() = std::ssize(figure_);
  }
}

std::int64_t StepPass::block_end(std::int64_t begin) const {
  const std::int64_t most_entries = kListBytesEachThread * resolve_threads(input_.execution.num_threads) /
                                    static_cast<std::int64_t>(sizeof(Block::Entry));
  const std::int64_t last = std::min(input_.matrix.rows, begin + ThinCountMode::kMostPartners);
  std::int64_t entries = 0;
  std::int64_t end = begin;
  for (; end < last; ++end) {
    entries += std::ssize(input_.matrix.row(input_.order.row[at(end)]));
    if (entries > most_entries && end > begin) break;
  }
  return end;
}

void StepPass::run(NeighborStore& store) {
  const CsrView& matrix = input_.matrix;
  const std::int64_t compared = rows_ ? std::ssize(*rows_) : matrix.rows;
  const auto share_before = [&](std::int64_t rank) {
    return static_cast<double>(rank) / static_cast<double>(std::max<std::int64_t>(1, matrix.rows));
  };
  const auto one = [](std::int64_t, std::int32_t, float) { return 1.0; };
  PerWorker<Scratch> workers(input_.execution);
  Block block;
  for (std::int64_t begin = 0; begin < matrix.rows; begin = block.end()) {
    const std::int64_t end = block_end(begin);
    const Stage building(input_.execution, share_before(begin), share_before(begin));
    block.build(matrix, input_.order, begin, end, one, 0, false, 0, building.execution());
    const Stage counting(input_.execution, share_before(begin), share_before(end));
    parallel_for(counting.execution(), compared, kRowsEachChunk,
                 [&](std::int64_t chunk_begin, std::int64_t chunk_end, int worker) {
                   Scratch& mine = workers.get(worker, [] { return Scratch(); });
                   for (std::int64_t n = chunk_begin; n < chunk_end; ++n) {
                     checkpoint();
                     const std::int64_t i = rows_ ? (*rows_)[at(n)] : input_.order.row[at(n)];
                     const std::int64_t owner = rows_ ? n : i;
                     if (matrix.row(i).size() <= std::numeric_limits<std::uint8_t>::max()) {
                       compare(i, owner, block, mine.small_counts, store, mine);
                     } else {
                       compare(i, owner, block, mine.counts, store, mine);
                     }
                   }
                 });
  }
}

template <typename Count>
void StepPass::compare(std::int64_t i, std::int64_t owner, const Block& block, std::vector<Count>& counts,
                       NeighborStore& store, Scratch& mine) const {
  if (std::ssize(input_.matrix.row(i)) < input_.params.min_support) return;
  const std::size_t size = at(padded(block.size()));
  if (counts.empty()) counts.resize(ThinCountMode::kNoPartner + std::size_t{1});  // what ends a list is counted too
  if (mine.words.size() <= size / 64) {
    mine.words.resize(size / 64 + 1);
    mine.places.resize(size / 64 + 1);
    mine.kept.resize(size);
    mine.scores.resize(size);
    mine.figures.resize(size);
    mine.sharp_figures.resize(size);
    mine.sums.resize(size);
  }
  const std::int64_t total = count(i, block, counts.data());
  if (total == 0) return;
  choose(i, store.bound(owner), total, block, counts.data(), mine);
  offer(i, owner, block, counts.data(), store, mine);
  std::fill_n(counts.begin(), size, Count{0});
}

template <typename Count>
std::int64_t StepPass::count(std::int64_t i, const Block& block, Count* counts) const {
  const auto columns = input_.matrix.row(i);
  const auto visits = std::ssize(columns);
  constexpr std::int64_t kAhead = 16;  // visits whose lists are fetched early
  constexpr std::uint32_t kStep = ThinCountMode::kListStep;
  std::int64_t total = 0;
  for (std::int64_t v = 0; v < visits; ++v) {
    if (v + kAhead < visits) __builtin_prefetch(block.list(block.place(columns[at(v + kAhead)]).code));
    const auto* const first = block.list(block.place(columns[at(v)]).code);
    const auto* step = first;
    for (bool last = false; !last; step += kStep) {
      for (std::uint32_t n = 0; n < kStep; ++n) ++counts[step[n].partner];
      last = step[kStep - 1].partner == ThinCountMode::kNoPartner;
    }
    total += step - first;
  }
  return total;
}

template <typename Count>
void StepPass::choose(std::int64_t i, float bound, std::int64_t total, const Block& block, const Count* counts,
                      Scratch& mine) const {
  constexpr std::int64_t kSelf = 1;  // the row's pair with itself may be among the counts
  const std::int64_t wanted = *input_.params.k + kSelf;
  const auto rough_best = [&] { return mine.size > wanted ? score_reached_by(wanted, mine.rough()) : 0.0F; };
  float best = 0.0F;
  bool enough = false;
  if (const float guess = guess_bound(i, wanted, total, block, counts, mine); guess > std::max(bound, kVanishing)) {
    climb(i, guess, block, mine);
    keep_reaching(i, block, counts, mine);
    best = rough_best();
    enough = best >= guess * kAbove;
  }
  if (!enough) {
    climb(i, bound, block, mine);
    keep_reaching(i, block, counts, mine);
    best = rough_best();
  }
  const float least = best > 0.0F ? std::max(bound, best) : bound;
  if (std::abs(least) < kVanishing || least == kNone) return;
  mine.size = kernels::pairs().keep_at_least(mine.scores.data(), mine.kept.data(), mine.size,
                                             least - kRoughSlack * std::abs(least), mine.kept.data());
}

template <typename Count>
float StepPass::guess_bound(std::int64_t i, std::int64_t wanted, std::int64_t total, const Block& block,
                            const Count* counts, Scratch& mine) const {
  constexpr std::int64_t kSample = 128;  // counts, some of the same pair; on check-ins 64 and 192 took a tenth longer
  constexpr std::int64_t kFewForEachOne = 4;  // below so many counts for each that is wanted all are looked at
  if (total < kFewForEachOne * wanted) return kNone;
  const std::int64_t stride = std::max<std::int64_t>(2, total / kSample);
  constexpr std::int64_t kWord = 64;
  mine.steps.clear();
  for (std::int64_t j = stride / 2 * kWord; j < block.size(); j += stride * kWord)
    mine.steps.push_back({j, j + kWord, least_});
  keep_reaching(i, block, counts, mine);
  const std::int64_t sampled = 3 * wanted / (2 * stride) + 2;
  return mine.size > sampled ? score_reached_by(sampled, mine.rough()) : kNone;
}

void StepPass::climb(std::int64_t i, float bound, const Block& block, Scratch& mine) const {
  constexpr std::uint32_t kMostSteps = 24;
  mine.steps.clear();
  const Formula::Bar bar = input_.formula.bar(i, bound);
  const auto alpha = static_cast<float>(bar.alpha / unit_);
  const auto beta = static_cast<float>(bar.beta / unit_);
  std::int64_t end = padded(block.size());
  if (!(alpha > 0.0F)) {
    mine.steps.push_back({0, end, least_});
    return;
  }
  const auto entries = static_cast<std::uint32_t>(input_.matrix.row(i).size());
  auto last = figures_.begin() + figure_[at(block.end() - 1)] + 1;
  for (std::uint32_t least = least_; end > 0 && least <= entries; ++least) {
    last = std::partition_point(figures_.begin(), last,
                                [&](float figure) { return alpha * figure + beta > static_cast<float>(least); });
    const std::int64_t rank = last == figures_.begin() ? 0 : ends_[at(last - figures_.begin() - 1)];
    const bool highest = least == least_ + kMostSteps;
    const std::int64_t begin =
        highest ? 0 : std::max<std::int64_t>(0, rank - block.begin()) / kernels::kPairPadding * kernels::kPairPadding;
    if (begin < end) mine.steps.push_back({begin, end, least});
    end = std::min(begin, end);
  }
  std::reverse(mine.steps.begin(), mine.steps.end());
}

template <typename Count>
void StepPass::keep_reaching(std::int64_t i, const Block& block, const Count* counts, Scratch& mine) const {
  const kernels::PairKernels& kernel = kernels::pairs();
  std::int64_t found = 0;
  if constexpr (std::is_same_v<Count, std::uint8_t>) {
    found = kernel.screen_steps_u8(counts, mine.steps.data(), std::ssize(mine.steps), mine.words.data(),
                                   mine.places.data());
  } else {
    found = kernel.screen_steps_u16(counts, mine.steps.data(), std::ssize(mine.steps), mine.words.data(),
                                    mine.places.data());
  }
  std::int32_t* const kept = mine.kept.data();
  float* const scores = mine.scores.data();
  float* const figures = mine.figures.data();
  const float* const all_figures = figures_.data();
  const std::uint16_t* const figure = figure_.data() + block.begin();
  std::int64_t size = 0;
  for (std::int64_t n = 0; n < found; ++n) {
    const std::int32_t base = mine.places[at(n)] * 64;
    for (std::uint64_t word = mine.words[at(n)]; word != 0; word &= word - 1) {
      const std::int32_t j = base + std::countr_zero(word);
      kept[size] = j;
      scores[size] = static_cast<float>(counts[j]);
      figures[size++] = all_figures[figure[j]];
    }
  }
  const kernels::RoughTerms terms = input_.formula.rough_terms(i, unit_);
  for (std::int64_t n = 0; n < size; ++n)  // apart from the loop above, so that the compiler makes it a vector loop
    scores[n] = scores[n] / (terms.base + terms.slope * figures[n] + terms.own * scores[n]);
  mine.size = size;
}

template <typename Count>
void StepPass::offer(std::int64_t i, std::int64_t owner, const Block& block, const Count* counts, NeighborStore& store,
                     Scratch& mine) const {
  const NeighborKey bound = store.bound_key(owner);
  const auto kept = std::span<const std::int32_t>(mine.kept).first(at(mine.size));
  const std::int32_t* const rows = input_.order.row.data() + block.begin();
  if (input_.formula.scores_by_figures()) {
    const std::uint16_t* const figure = figure_.data() + block.begin();
    for (std::size_t n = 0; n < kept.size(); ++n) {
      mine.sums[n] = static_cast<double>(counts[kept[n]]) * unit_;
      mine.sharp_figures[n] = sharp_figures_[figure[kept[n]]];
    }
    input_.formula.scores(i, std::span(mine.sums).first(kept.size()), mine.sharp_figures, mine.scores.data());
  } else {
    for (std::size_t n = 0; n < kept.size(); ++n) {
      PairSums sums;
      sums.n = static_cast<double>(counts[kept[n]]);
      sums.xy = sums.n * unit_;
      mine.scores[n] = input_.formula.score(sums, i, rows[kept[n]]);
    }
  }
  mine.own.resize(kept.size() + 1);
  std::size_t size = 0;
  for (std::size_t n = 0; n < kept.size(); ++n) {  // without a branch, for whether a key is needed is not foreseeable
    const std::int32_t partner = rows[kept[n]];
    const NeighborKey key = neighbor_key(mine.scores[n], partner);
    mine.own[size] = key;
    size += mine.scores[n] != 0.0F && key >= bound && partner != i ? 1 : 0;
  }
  mine.own.resize(size);
  store.shorten(mine.own);
  if (!mine.own.empty()) store.offer(owner, mine.own);
}

}  // namespace recocore
