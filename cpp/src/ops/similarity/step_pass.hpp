// The pass for kinds that count, over rows so thin that most counts are zero or one.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "kernels/pairs/kernel.hpp"
#include "ops/similarity/neighbor_store.hpp"
#include "ops/similarity/pair_input.hpp"
#include "ops/similarity/pair_modes.hpp"
#include "ops/similarity/partner_block.hpp"

namespace recocore {

/// Each row is counted against block after block of all partners. These are ranked by their figures, so that what a
/// bound asks of a count is a staircase: a few steps of ranks, each with the least count that can reach the bound. The
/// bound is guessed from a sample of the row's counts; if it was too high the row is screened again by the one it has.
///
/// Counts are exact and every candidate is scored in float64, so neither blocks nor threads nor instruction sets show
/// in the result.
class StepPass {
 public:
  /// Whether the pass can serve: the best k are wanted, a score falls with the partner's figure and rises with the
  /// count, figures fall with the rank, and rows have less than 2^16 entries and different figures.
  [[nodiscard]] static bool serves(const PairInput& input);

  /// `rows`: only these are compared; nothing: all. `unit` is what a count of 1 stands for.
  StepPass(const PairInput& input, std::optional<std::span<const std::int32_t>> rows, double unit);

  void run(NeighborStore& store);

 private:
  using Block = PartnerBlock<ThinCountMode>;

  /// One thread's memory.
  struct Scratch {
    std::vector<std::uint8_t> small_counts;  // one a partner, zero between rows, and that of kNoPartner
    std::vector<std::uint16_t> counts;       // the same for rows with more than 255 entries
    std::vector<kernels::CountStep> steps;
    std::vector<std::uint64_t> words;
    std::vector<std::int32_t> places;
    std::vector<std::int32_t> kept;  // positions in the block of the candidates, `size` of them
    std::vector<float> scores;       // rough ones, then those to offer
    std::vector<float> figures;      // of the candidates, as float32 and as float64
    std::vector<double> sharp_figures;
    std::vector<double> sums;
    std::int64_t size = 0;
    std::vector<NeighborKey> own;

    [[nodiscard]] std::span<const float> rough() const { return {scores.data(), static_cast<std::size_t>(size)}; }
  };

  [[nodiscard]] std::int64_t block_end(std::int64_t begin) const;
  template <typename Count>
  void compare(std::int64_t i, std::int64_t owner, const Block& block, std::vector<Count>& counts, NeighborStore& store,
               Scratch& mine) const;
  /// Counts row i's common columns with every partner and returns about the sum of the counts, at least that.
  template <typename Count>
  std::int64_t count(std::int64_t i, const Block& block, Count* counts) const;
  /// Puts the positions of the pairs to score into mine.kept.
  template <typename Count>
  void choose(std::int64_t i, float bound, std::int64_t total, const Block& block, const Count* counts,
              Scratch& mine) const;
  /// A bound that probably more than `wanted` pairs reach, but not many more; or minus infinity.
  template <typename Count>
  float guess_bound(std::int64_t i, std::int64_t wanted, std::int64_t total, const Block& block, const Count* counts,
                    Scratch& mine) const;
  /// The steps of what `bound` asks of row i's counts.
  void climb(std::int64_t i, float bound, const Block& block, Scratch& mine) const;
  /// Puts the positions that reach their step into mine.kept and their rough scores into mine.scores.
  template <typename Count>
  void keep_reaching(std::int64_t i, const Block& block, const Count* counts, Scratch& mine) const;
  template <typename Count>
  void offer(std::int64_t i, std::int64_t owner, const Block& block, const Count* counts, NeighborStore& store,
             Scratch& mine) const;

  const PairInput& input_;
  std::optional<std::span<const std::int32_t>> rows_;
  double unit_;
  std::uint32_t least_;  // min_support
  // Most rows share their figure with many others: numbers of 16 bits and a short table stay in the cache.
  std::vector<std::uint16_t> figure_;  // the number of its figure, by rank
  std::vector<float> figures_;         // Formula::partner_figure and
  std::vector<double> sharp_figures_;  // Formula::figure, falling
  std::vector<std::int64_t> ends_;     // the rank after the last with that figure
};

}  // namespace recocore
