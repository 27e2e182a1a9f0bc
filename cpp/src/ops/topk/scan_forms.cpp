#include "ops/topk/scan_forms.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

namespace recocore {
namespace {

using kernels::kQueryLanes;

constexpr std::int64_t kCacheLine = 64;
// The n-th best of three times as many groups is hardly below the n-th best of all, and each group is sorted in once.
// The 100 best of 5,000 items for 5,000 queries, one item a group: 76 ms; so: 56.
constexpr std::int64_t kGroupsPerRank = 2;
constexpr float kNever = std::numeric_limits<float>::infinity();

std::size_t at(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

template <typename T>
const T* gather(std::span<const T> values, const ItemBlock& block, std::vector<T>& out) {
  out.resize(at(block.count));
  for (std::int64_t r = 0; r < block.count; ++r) out[at(r)] = values[at(block.position(r))];
  return out.data();
}

/// The values of a block's positions: where they stand, if they stand together.
template <typename T>
const T* values_of(std::span<const T> values, const ItemBlock& block, std::vector<T>& scratch) {
  return block.listed.empty() ? values.data() + block.first : gather(values, block, scratch);
}

std::int32_t item_at(const TopkProblem& problem, std::int64_t position) noexcept {
  return problem.codes == nullptr ? static_cast<std::int32_t>(position) : problem.codes->order[at(position)];
}

/// What each item of the block adds on the linear scale; null where that is nothing.
const float* biases_of(const TopkProblem& problem, const ItemBlock& block, std::vector<float>& out) {
  const bool distances = problem.metric == Metric::euclidean;
  if (!distances && problem.biases.empty()) return nullptr;
  out.resize(at(block.count));
  for (std::int64_t r = 0; r < block.count; ++r) {
    const std::int64_t position = block.position(r);
    float bias = problem.biases.empty() ? 0 : problem.biases[at(item_at(problem, position))];
    if (distances) {
      const float length = problem.codes->lengths[at(position)];
      bias = (bias - length * length) / 2;
    }
    out[at(r)] = bias;
  }
  return out.data();
}

/// Rounded so that the bounds stay bounds.
float lowered(double v) noexcept {
  return static_cast<float>(v - kMargin * std::fabs(v));
}
float raised(double v) noexcept {
  return static_cast<float>(v + kMargin * std::fabs(v));
}

}  // namespace

void FloatForm::begin_chunk(const QueryChunk& chunk) {
  panels_.pack(problem_->queries, chunk.begin, chunk.end);
  bars_.assign(at(panels_of(chunk.size()) * kQueryLanes), kNever);
}

void FloatForm::set_bar(std::int64_t query, const Reservoir& reservoir) noexcept {
  bars_[at(query)] = lowered(reservoir.bar() - reservoir.bounds().sum_error());
}

void FloatForm::begin_block(const ItemBlock& block) {
  count_ = block.count;
  items_.resize(at(block.count));
  for (std::int64_t r = 0; r < block.count; ++r) items_[at(r)] = item_at(*problem_, block.position(r));
  consecutive_ = problem_->codes == nullptr && block.listed.empty();
  first_row_ = problem_->items.data + (consecutive_ ? block.first * problem_->items.stride : 0);
  block_biases_ = biases_of(*problem_, block, biases_);
}

void FloatForm::scan(std::span<const std::int64_t> panels, kernels::Hit* hits, std::int64_t room,
                     std::int64_t* found) noexcept {
  for (std::size_t i = 0; i < panels.size(); ++i, hits += room)
    found[i] = kernel_->scan_f32(first_row_, problem_->items.stride, consecutive_ ? nullptr : items_.data(),
                                 block_biases_, count_, problem_->items.cols, panels_.panel(panels[i]),
                                 bars_.data() + panels[i] * kQueryLanes, hits);
}

void CodeForm::begin_chunk(const QueryChunk& chunk) {
  single_ = chunk.size() == 1;
  panels_.pack(problem_->queries, chunk.begin, chunk.end, problem_->codes->codes.cols, kernel_->query_levels,
               kernel_->query_offset);
  kernels::CodeBars none;
  for (std::int64_t lane = 0; lane < kQueryLanes; ++lane) {
    none.bars[lane] = kNever;
    none.by_error[lane] = none.by_norm[lane] = none.by_bias[lane] = 0;
  }
  bars_.assign(at(panels_of(chunk.size())), none);
}

void CodeForm::set_bar(std::int64_t query, const Reservoir& reservoir) noexcept {
  const QueryScale& codes = panels_.scale(query);
  kernels::CodeBars& bars = bars_[at(query / kQueryLanes)];
  const auto lane = at(query % kQueryLanes);
  const double scale = codes.scale;
  const float bar =
      lowered((reservoir.bar() - kMargin * std::fabs(reservoir.bar()) - reservoir.bounds().rounding()) / scale);
  // A bar beyond floats lets everything pass; near zero the bar's own products may be denormal.
  bars.bars[lane] = bar < 1e30F ? bar - 0x1p-140F : -std::numeric_limits<float>::infinity();
  bars.by_error[lane] = raised(reservoir.bounds().length() / scale);
  bars.by_norm[lane] = raised(codes.error / scale);
  bars.by_bias[lane] = static_cast<float>(1 / scale);
}

void CodeForm::begin_block(const ItemBlock& block) {
  const ItemCodes& codes = *problem_->codes;
  block_ = block;
  count_ = block.count;
  const bool together = block.listed.empty();
  if (!together)
    for (const std::int32_t position : block.listed)
      for (std::int64_t d = 0; d < codes.codes.stride; d += kCacheLine)
        __builtin_prefetch(codes.codes.data + position * codes.codes.stride + d);
  rows_ = {codes.codes.data + (together ? block.first * codes.codes.stride : 0),
           codes.codes.stride,
           together ? nullptr : block.listed.data(),
           values_of(codes.code_sums, block, code_sums_),
           values_of(codes.inverse_scales, block, inverse_scales_),
           values_of(codes.errors, block, errors_),
           values_of(codes.norms, block, norms_),
           biases_of(*problem_, block, biases_)};
  if (problem_->metric == Metric::cosine) scale_to_length_one();
}

void CodeForm::scale_to_length_one() {
  const float* lengths = values_of(problem_->codes->lengths, block_, lengths_);
  const float* inverse_scales = rows_.inverse_scales;
  const float* errors = rows_.errors;
  const float* norms = rows_.norms;
  for (auto* scaled : {&inverse_scales_, &errors_, &norms_}) scaled->resize(at(count_));
  for (std::int64_t r = 0; r < count_; ++r) {
    // Sums of an item of zeros, or of values so small that products lose all digits, bound nothing: it always passes.
    const bool sound = lengths[r] > 0x1p-80F;
    const float length = sound ? lengths[r] : 1;
    inverse_scales_[at(r)] = inverse_scales[r] * length;
    errors_[at(r)] = sound ? errors[r] / length : std::numeric_limits<float>::max();
    norms_[at(r)] = norms[r] / length;
  }
  rows_.inverse_scales = inverse_scales_.data();
  rows_.errors = errors_.data();
  rows_.norms = norms_.data();
}

void CodeForm::scan(std::span<const std::int64_t> panels, kernels::Hit* hits, std::int64_t room,
                    std::int64_t* found) noexcept {
  if (single_) {
    if (!panels.empty()) found[0] = kernel_->scan_codes_one(rows_, count_, panels_.panel(0), bars_[0], hits);
    return;
  }
  scans_.clear();
  for (const std::int64_t panel : panels) {
    scans_.push_back({panels_.panel(panel), &bars_[at(panel)], hits});
    hits += room;
  }
  kernel_->scan_codes(rows_, count_, scans_.data(), std::ssize(scans_));
  for (std::size_t i = 0; i < scans_.size(); ++i) found[i] = scans_[i].found;
}

void CodeForm::look_at(std::span<const ItemBlock> blocks, std::int64_t usual_rank) {
  std::int64_t items = 0;
  for (const ItemBlock& block : blocks) items += block.count;
  const std::int64_t group = std::max<std::int64_t>(items / (kGroupsPerRank * usual_rank), 1);
  groups_ = 0;
  for (const ItemBlock& block : blocks) groups_ += (block.count + group - 1) / group;
  const std::int64_t room = groups_ * kQueryLanes;
  best_.resize(bars_.size() * at(room));
  float* of_block = best_.data();
  for (const ItemBlock& block : blocks) {
    begin_block(block);
    for (std::int64_t panel = 0; panel < std::ssize(bars_); ++panel)
      kernel_->best_codes(rows_, count_, panels_.panel(panel), bars_[at(panel)], group, of_block + panel * room);
    of_block += (block.count + group - 1) / group * kQueryLanes;
  }
}

double CodeForm::least(std::int64_t query, std::int64_t rank) {
  if (rank > groups_) return -std::numeric_limits<double>::infinity();
  of_a_query_.resize(at(groups_));
  const float* from = best_.data() + query / kQueryLanes * groups_ * kQueryLanes + query % kQueryLanes;
  for (float& best : of_a_query_) {
    best = *from;
    from += kQueryLanes;
  }
  const auto wanted = of_a_query_.begin() + rank - 1;
  std::nth_element(of_a_query_.begin(), wanted, of_a_query_.end(), std::greater());
  return panels_.scale(query).scale * static_cast<double>(*wanted);
}

}  // namespace recocore
