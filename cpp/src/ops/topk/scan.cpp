#include "ops/topk/scan.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <limits>

#include "base/per_worker.hpp"
#include "ops/topk/exclusions.hpp"
#include "ops/topk/reservoir.hpp"
#include "ops/topk/scan_forms.hpp"
#include "ops/topk/scorer.hpp"

namespace recocore {
namespace {

using kernels::Hit;
using kernels::kQueryLanes;

// Positions between two looks at the bars: 240 rows of 128 floats are 120 KiB, which stay in a second-level cache
// beside the queries; a multiple of the kernels' tile heights.
constexpr std::int64_t kBlock = 192;
constexpr std::int64_t kSmallStep = 12;
// Panels scanned before what they let through is scored. 100,000 items of 128 floats, 20,000 queries, AMX, one thread:
// 1.30 s one by one, 1.03 s with 8, 1.20 s with 24.
constexpr std::int64_t kPanelsTogether = 8;
// Items that are looked at for bars before any is scanned: at least so many, and so many for each of the best that
// count, unless more than so many do. For 20,000 queries, two threads: the 10 best of 1,000 items with 384 looked
// at 30.6 ms, with all 28; of 100,000 697 and 660 with 1,152. For 5,000 queries the 100 best of 5,000 items with 12 for
// each 65 ms, with 24 56; for 3,000 the 300 best of 30,000 without a look 189, with one 156.
constexpr std::int64_t kLookedAt = 1'152;
constexpr std::int64_t kLookedAtPerRank = 24;
constexpr std::int64_t kGreatestRank = 512;

std::size_t at(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

/// Blocks [begin, end).
struct BlockRun {
  std::int64_t begin;
  std::int64_t end;
};

/// Deals the blocks of one chunk of queries out to the slices that go through them at once: from the first on, so that
/// with the longest items first each slice has its share of them, and whoever comes late finds fewer.
class BlockDealer {
 public:
  void start(std::int64_t positions, std::int64_t slices) noexcept {
    blocks_ = (positions + kBlock - 1) / kBlock;
    run_ = slices == 1 ? blocks_ : std::clamp<std::int64_t>(blocks_ / (kRunsPerSlice * slices), 1, kLongestRun);
  }

  [[nodiscard]] BlockRun next() noexcept {
    const std::int64_t begin = std::min(next_.fetch_add(run_, std::memory_order_relaxed), blocks_);
    return {begin, std::min(begin + run_, blocks_)};
  }

 private:
  static constexpr std::int64_t kRunsPerSlice = 16;
  // Memory is asked for what stands two pages ahead, which at the end of a run is another's: 192 KiB of codes of 128.
  static constexpr std::int64_t kLongestRun = 8;

  std::atomic<std::int64_t> next_{0};
  std::int64_t blocks_ = 0;
  std::int64_t run_ = 1;
};

/// One thread's working memory, and the scan of one chunk of queries.
template <typename Form>
class Scanner {
 public:
  Scanner(const TopkProblem& problem, const CandidateFilter& filter, const ScanPlan& plan, std::int64_t k)
      : problem_(&problem),
        plan_(&plan),
        k_(k),
        scorer_(problem),
        exclusions_(filter, problem.items.rows),
        form_(problem) {}

  /// Goes through the blocks that it is dealt.
  void scan(const QueryChunk& chunk, BlockDealer& dealer) {
    begin(chunk);
    // Everything passes until there are bars: so the first looks at them come early.
    std::int64_t step = first_step();
    for (BlockRun run = dealer.next(); run.begin < run.end; run = dealer.next())
      for (std::int64_t b = run.begin; b < run.end; ++b) {
        const std::int64_t last = std::min((b + 1) * kBlock, plan_->positions);
        for (std::int64_t first = b * kBlock; first < last; first += step)
          if (!take(block_of(first, std::min(step, last - first)))) return finish();
        step = kBlock;
      }
    finish();
  }

  [[nodiscard]] std::vector<Reservoir>& reservoirs() noexcept { return reservoirs_; }

 private:
  void begin(const QueryChunk& chunk) {
    chunk_ = chunk;
    form_.begin_chunk(chunk);
    reservoirs_.resize(at(chunk.size()), Reservoir(k_));
    const std::int64_t panels = panels_of(chunk.size());
    open_.assign(at(panels), 1);
    // Room for every pair of the panels that are scanned together: of one query 24 KiB, of many 192.
    const std::size_t pairs = at(std::min(panels, kPanelsTogether) * kBlock * kQueryLanes);
    if (hits_.size() < pairs) hits_.resize(pairs);
    for (std::int64_t q = 0; q < chunk.size(); ++q) {
      const float threshold = problem_->thresholds.empty() ? kPadScore : problem_->thresholds[at(chunk.begin + q)];
      reservoirs_[at(q)].start(threshold, QueryBounds(query(q), problem_->metric, plan_->bounds));
      form_.set_bar(q, reservoirs_[at(q)]);
    }
    raise_bars();
  }

  /// Of as many of the best as a query wants and leaves out, k may come back: the last of them is a first bar.
  void raise_bars() {
    all_raised_ = false;
    if constexpr (requires { form_.tells(); }) {
      if (!form_.tells()) return;
      const auto rank = [this](std::int64_t q) { return k_ + exclusions_.count(chunk_.begin + q); };
      std::int64_t sum = 0;
      for (std::int64_t q = 0; q < chunk_.size(); ++q) sum += std::min(rank(q), kGreatestRank);
      const std::int64_t usual = sum / chunk_.size();
      if (usual == kGreatestRank) return;
      const std::int64_t end = std::min(plan_->positions, std::max(kLookedAt, kLookedAtPerRank * usual));
      blocks_.clear();
      for (std::int64_t first = 0; first < end; first += kBlock)
        blocks_.push_back(block_of(first, std::min(kBlock, end - first)));
      form_.look_at(blocks_, usual);
      all_raised_ = true;
      for (std::int64_t q = 0; q < chunk_.size(); ++q) {
        if (reservoirs_[at(q)].raise(form_.least(q, rank(q))))
          form_.set_bar(q, reservoirs_[at(q)]);
        else
          all_raised_ = false;
      }
    }
  }

  [[nodiscard]] std::span<const float> query(std::int64_t q) const noexcept {
    return problem_->queries.row(chunk_.begin + q);
  }

  [[nodiscard]] std::int64_t first_step() const noexcept {
    if (all_raised_) return kBlock;
    const std::int64_t wanted = (k_ + k_ / 2 + 32 + kSmallStep - 1) / kSmallStep * kSmallStep;
    return std::min(wanted, kBlock);
  }

  [[nodiscard]] ItemBlock block_of(std::int64_t first, std::int64_t count) const noexcept {
    return {first, count,
            plan_->listed.empty() ? std::span<const std::int32_t>{} : plan_->listed.subspan(at(first), at(count))};
  }

  void finish() {
    for (std::int64_t q = 0; q < chunk_.size(); ++q) sift(q);
  }

  /// Takes a block's items; false if neither these nor any after them can count.
  bool take(const ItemBlock& block) {
    checkpoint();
    if (!retire(block)) return false;
    form_.begin_block(block);
    for (std::int64_t first = 0; first < std::ssize(open_); first += kPanelsTogether)
      take(first, std::min(first + kPanelsTogether, std::ssize(open_)));
    return true;
  }

  /// Closes panels whose bars no item from this block on can reach: |q.y| <= |q| |y|, and lengths fall. Whether any
  /// panel is open.
  bool retire(const ItemBlock& block) noexcept {
    if (problem_->codes == nullptr || problem_->metric == Metric::cosine || !plan_->rising) return true;
    const double longest = problem_->codes->lengths[at(block.position(0))];
    bool some = false;
    for (std::int64_t panel = 0; panel < std::ssize(open_); ++panel) {
      if (!open_[at(panel)]) continue;
      bool reached = false;
      const std::int64_t end = std::min((panel + 1) * kQueryLanes, chunk_.size());
      for (std::int64_t q = panel * kQueryLanes; q < end && !reached; ++q)
        reached = !(reservoirs_[at(q)].bounds().at_most(longest, plan_->bounds.top_bias) < reservoirs_[at(q)].bar());
      open_[at(panel)] = reached ? 1 : 0;
      some |= reached;
    }
    return some;
  }

  /// Scans panels [first, last) and then scores what they let through: floats would drive the block out of the nearest
  /// cache between two panels.
  void take(std::int64_t first, std::int64_t last) {
    constexpr std::int64_t kRoom = kBlock * kQueryLanes;
    std::array<std::int64_t, kPanelsTogether> panels{};
    std::array<std::int64_t, kPanelsTogether> found{};
    std::size_t count = 0;
    for (std::int64_t panel = first; panel < last; ++panel)
      if (open_[at(panel)]) panels[count++] = panel;
    form_.scan(std::span(panels).first(count), hits_.data(), kRoom, found.data());
    for (std::size_t i = 0; i < count; ++i) score(panels[i], std::span(hits_).subspan(i * at(kRoom), at(found[i])));
  }

  void score(std::int64_t panel, std::span<const Hit> hits) {
    constexpr std::size_t kAhead = 4;
    for (std::size_t h = 0; h < hits.size(); ++h) {
      if (h + kAhead < hits.size()) scorer_.prefetch(form_.item(hits[h + kAhead].row));
      const std::int64_t q = panel * kQueryLanes + hits[h].lane;
      const std::int32_t item = form_.item(hits[h].row);
      if (reservoirs_[at(q)].offer(scorer_(query(q), item), item)) tighten(q);
    }
  }

  void tighten(std::int64_t q) {
    sift(q);
    form_.set_bar(q, reservoirs_[at(q)]);
  }

  void sift(std::int64_t q) {
    exclusions_.with(chunk_.begin + q, [&](const auto& excluded) { reservoirs_[at(q)].tighten(excluded); });
  }

  const TopkProblem* problem_;
  const ScanPlan* plan_;
  std::int64_t k_;
  Scorer scorer_;
  Exclusions exclusions_;
  Form form_;
  std::vector<Hit> hits_;
  QueryChunk chunk_{};
  std::vector<Reservoir> reservoirs_;  // one a query of the chunk
  std::vector<ItemBlock> blocks_;      // looked at for first bars
  bool all_raised_ = false;            // whether every query has a first bar
  std::vector<char> open_;             // one a panel: whether an item to come may still count
};

template <typename Form>
void scan(const TopkProblem& problem, const CandidateFilter& filter, const ScanPlan& plan, MatrixView<std::int32_t> ids,
          MatrixView<float> scores, const Execution& execution) {
  const std::int64_t n = problem.queries.rows;
  const std::int64_t chunks = (n + plan.chunk - 1) / plan.chunk;
  const auto chunk_at = [&](std::int64_t c) { return QueryChunk{c * plan.chunk, std::min((c + 1) * plan.chunk, n)}; };
  std::vector<std::vector<Reservoir>> parts(at(plan.slices > 1 ? chunks * plan.slices : 0));
  std::vector<BlockDealer> dealers(at(chunks));
  for (BlockDealer& dealer : dealers) dealer.start(plan.positions, plan.slices);
  PerWorker<Scanner<Form>> scanners(execution);
  parallel_for(execution, chunks * plan.slices, 1, [&](std::int64_t begin, std::int64_t end, int worker) {
    auto& scanner = scanners.get(worker, [&] { return Scanner<Form>(problem, filter, plan, ids.cols); });
    for (std::int64_t task = begin; task < end; ++task) {
      const QueryChunk chunk = chunk_at(task / plan.slices);
      scanner.scan(chunk, dealers[at(task / plan.slices)]);
      if (plan.slices > 1) {
        parts[at(task)] = std::move(scanner.reservoirs());
        scanner.reservoirs().clear();
        continue;
      }
      for (std::int64_t q = chunk.begin; q < chunk.end; ++q)
        scanner.reservoirs()[at(q - chunk.begin)].finish(ids.row(q), scores.row(q));
    }
  });
  if (plan.slices == 1) return;
  parallel_for(execution, n, 1, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t q = begin; q < end; ++q) {
      const std::int64_t chunk = q / plan.chunk;
      const std::int64_t lane = q % plan.chunk;
      Reservoir& whole = parts[at(chunk * plan.slices)][at(lane)];
      for (std::int64_t slice = 1; slice < plan.slices; ++slice)
        whole.merge(parts[at(chunk * plan.slices + slice)][at(lane)]);
      whole.finish(ids.row(q), scores.row(q));
    }
  });
}

}  // namespace

struct ListScan::Work {
  Work(const TopkProblem& problem, const CandidateFilter& filter, const ItemBounds& bounds, std::int64_t k)
      : plan{.bounds = bounds, .listed = {}, .rising = false, .positions = 0, .chunk = 1, .slices = 1},
        scanner(problem, filter, plan, k) {}

  ScanPlan plan;
  Scanner<CodeForm> scanner;
};

ListScan::ListScan(const TopkProblem& problem, const CandidateFilter& filter, const ItemBounds& bounds, std::int64_t k)
    : work_(std::make_unique<Work>(problem, filter, bounds, k)) {}
ListScan::ListScan(ListScan&&) noexcept = default;
ListScan& ListScan::operator=(ListScan&&) noexcept = default;
ListScan::~ListScan() = default;

void ListScan::operator()(std::int64_t query, std::span<const std::int32_t> positions, std::span<std::int32_t> ids,
                          std::span<float> scores) {
  work_->plan.listed = positions;
  work_->plan.positions = std::ssize(positions);
  BlockDealer dealer;
  dealer.start(std::ssize(positions), 1);
  work_->scanner.scan({query, query + 1}, dealer);
  work_->scanner.reservoirs().front().finish(ids, scores);
}

void scan_floats(const TopkProblem& problem, const CandidateFilter& filter, const ScanPlan& plan,
                 MatrixView<std::int32_t> ids, MatrixView<float> scores, const Execution& execution) {
  scan<FloatForm>(problem, filter, plan, ids, scores, execution);
}

void scan_codes(const TopkProblem& problem, const CandidateFilter& filter, const ScanPlan& plan,
                MatrixView<std::int32_t> ids, MatrixView<float> scores, const Execution& execution) {
  scan<CodeForm>(problem, filter, plan, ids, scores, execution);
}

}  // namespace recocore
