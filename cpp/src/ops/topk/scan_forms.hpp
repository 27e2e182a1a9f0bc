// The two forms in which a chunk of queries is scanned against blocks of items: floats and codes. Both have the same
// members, so that one loop (scan.cpp) drives either; codes alone can tell what pairs score at least. 16-bit floats
// would be a third, with twice the bytes of codes and half the products a second. They would leave 11 of 100,000 items
// to score instead of 15 to 70, whatever the vectors (benchmarks/topk/bounds.py); to score 60 more takes 2 us of the 50
// us that the scan of codes takes.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/scan/kernel.hpp"
#include "ops/topk/query_bounds.hpp"
#include "ops/topk/query_panels.hpp"
#include "ops/topk/reservoir.hpp"
#include "recocore/topk.hpp"

namespace recocore {

/// Queries [begin, end) of the problem.
struct QueryChunk {
  std::int64_t begin;
  std::int64_t end;

  [[nodiscard]] std::int64_t size() const noexcept { return end - begin; }
};

/// Some of the positions that a scan goes through: [first, first + count), or those that `listed` names.
struct ItemBlock {
  std::int64_t first;
  std::int64_t count;
  std::span<const std::int32_t> listed;

  [[nodiscard]] std::int64_t position(std::int64_t row) const noexcept {
    return listed.empty() ? first + row : listed[static_cast<std::size_t>(row)];
  }
};

/// Rows of floats, for inner products and distances; a sum lies within the query's sum_error() of its score.
class FloatForm {
 public:
  explicit FloatForm(const TopkProblem& problem) : problem_(&problem), kernel_(&kernels::scan()) {}

  void begin_chunk(const QueryChunk& chunk);
  void set_bar(std::int64_t query, const Reservoir& reservoir) noexcept;
  void begin_block(const ItemBlock& block);
  /// Scans the block for some panels: what each lets through goes to a part of `hits` with `room` for a block's pairs,
  /// and how many these are to `found`.
  void scan(std::span<const std::int64_t> panels, kernels::Hit* hits, std::int64_t room, std::int64_t* found) noexcept;
  /// The item of a row of the block.
  [[nodiscard]] std::int32_t item(std::int32_t row) const noexcept { return items_[static_cast<std::size_t>(row)]; }

 private:
  const TopkProblem* problem_;
  const kernels::ScanKernels* kernel_;
  FloatPanels panels_;
  std::vector<float> bars_;
  std::int64_t count_ = 0;
  const float* first_row_ = nullptr;
  const float* block_biases_ = nullptr;
  std::vector<std::int32_t> items_;  // of the block
  bool consecutive_ = false;         // the block's items follow each other
  std::vector<float> biases_;
};

/// Rows of codes; a sum lies within |q| error + |q - its codes| norm of its score, and the query's rounding().
class CodeForm {
 public:
  /// `problem` has codes.
  explicit CodeForm(const TopkProblem& problem) : problem_(&problem), kernel_(&kernels::scan()) {}

  void begin_chunk(const QueryChunk& chunk);
  void set_bar(std::int64_t query, const Reservoir& reservoir) noexcept;
  void begin_block(const ItemBlock& block);
  void scan(std::span<const std::int64_t> panels, kernels::Hit* hits, std::int64_t room, std::int64_t* found) noexcept;

  /// Whether this is a form, and a chunk, that can tell what pairs score at least.
  [[nodiscard]] bool tells() const noexcept { return !single_; }
  /// Looks at the first `items`, in groups for as many of the best as a query usually wants.
  void look_at(std::span<const ItemBlock> blocks, std::int64_t usual_rank);
  /// Where on the linear scale `rank` of the items looked at lie at least, but for rounding; -inf where that cannot be
  /// told.
  [[nodiscard]] double least(std::int64_t query, std::int64_t rank);

  /// The item of a row of the block.
  [[nodiscard]] std::int32_t item(std::int32_t row) const noexcept {
    return problem_->codes->order[static_cast<std::size_t>(block_.position(row))];
  }

 private:
  void scale_to_length_one();

  const TopkProblem* problem_;
  const kernels::ScanKernels* kernel_;
  CodePanels panels_;
  std::vector<kernels::CodeBars> bars_;
  bool single_ = false;
  std::int64_t count_ = 0;
  ItemBlock block_{};
  kernels::CodeRows rows_{};
  std::vector<std::int32_t> code_sums_;  // of the block, where they do not stand together or are scaled
  std::vector<float> inverse_scales_;
  std::vector<float> errors_;
  std::vector<float> norms_;
  std::vector<float> lengths_;
  std::vector<float> biases_;
  std::vector<kernels::PanelScan> scans_;
  std::int64_t groups_ = 0;        // of the items looked at
  std::vector<float> best_;        // [panels, groups, kQueryLanes]
  std::vector<float> of_a_query_;  // [groups]
};

}  // namespace recocore
