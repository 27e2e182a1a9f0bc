#include "ops/topk_cuda.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "cuda/buffer.hpp"
#include "cuda/matrix.hpp"
#include "cuda/progress.hpp"
#include "cuda/stream.hpp"
#include "ops/cuda/topk_scan.cuh"
#include "recocore/error.hpp"

namespace recocore {
namespace {

using namespace cuda;

// Positions between two selections: candidates of a query never outgrow their room, k and as many.
constexpr std::int64_t kLeastSlab = 4096;
constexpr std::int64_t kMostSlab = 1'048'576;
// Candidates of all queries of a chunk between two selections: 256 MiB, so that a few queries take large strides.
constexpr std::int64_t kSlabKeys = 33'554'432;
// Queries of a chunk: enough tiles for any device, and lists that the host sorts meanwhile.
constexpr std::int64_t kMostQueries = 16'384;

std::size_t at(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

std::int64_t blocks_for(std::int64_t threads) {
  return (threads + kThreads - 1) / kThreads;
}

std::int64_t tiles_for(std::int64_t rows) {
  return (rows + kTile - 1) / kTile;
}

/// Lists of items, one after the other; each rising and without repetitions.
struct Lists {
  std::vector<long long> begin{0};
  std::vector<std::int32_t> items;

  /// Ends a list of what was added to `items` since the last one's end.
  void end_list() {
    const auto first = items.begin() + static_cast<std::ptrdiff_t>(begin.back());
    std::sort(first, items.end());
    items.erase(std::unique(first, items.end()), items.end());
    begin.push_back(std::ssize(items));
  }
};

struct DeviceLists {
  Buffer<long long> begin;
  Buffer<std::int32_t> items;

  DeviceLists() = default;
  DeviceLists(const Lists& lists, StreamHandle stream)
      : begin(uploaded<long long>(lists.begin, stream)), items(uploaded<std::int32_t>(lists.items, stream)) {}
};

/// A bit for each item that no query may have, empty where there is none.
std::vector<unsigned> refused_by_all(const CandidateFilter& filter, std::int64_t items) {
  const bool only_some = filter.allow.has_value() && filter.allow_shared.has_value();
  if (filter.block.empty() && !only_some) return {};
  std::vector<unsigned> bits(at((items + 31) / 32), only_some ? ~0U : 0U);
  if (only_some)
    for (const std::int32_t item : *filter.allow_shared) bits[at(item / 32)] &= ~(1U << (item % 32));
  for (const std::int32_t item : filter.block) bits[at(item / 32)] |= 1U << (item % 32);
  return bits;
}

Lists excluded_of(const CandidateFilter& filter, std::int64_t first, std::int64_t count) {
  Lists lists;
  for (std::int64_t q = first; q < first + count; ++q) {
    for (const RowsOf& rows : filter.exclude) {
      const auto row = rows.of(q);
      lists.items.insert(lists.items.end(), row.begin(), row.end());
    }
    lists.end_list();
  }
  return lists;
}

Lists allowed_of(const RowsOf& allow, std::int64_t first, std::int64_t count) {
  Lists lists;
  for (std::int64_t q = first; q < first + count; ++q) {
    const auto row = allow.of(q);
    lists.items.insert(lists.items.end(), row.begin(), row.end());
    lists.end_list();
  }
  return lists;
}

template <typename Half>
struct Narrowed {
  Buffer<Half> values;
  Buffer<float> lost;
  Buffer<float> lengths;

  Narrowed(MatrixView<const float> matrix, StreamHandle stream)
      : values(matrix.rows * matrix.cols, stream), lost(matrix.rows, stream), lengths(matrix.rows, stream) {
    launch(narrow_rows<Half>, matrix.rows, stream, matrix.data, matrix.stride, matrix.rows, matrix.cols, values.data(),
           lost.data(), lengths.data());
  }
  [[nodiscard]] HalfRows<Half> rows() const { return {values.data(), lost.data(), lengths.data()}; }
};

/// The halves of some rows, where the scan reads those.
struct Halves {
  std::optional<Narrowed<Float16>> float16;
  std::optional<Narrowed<Bfloat16>> bfloat16;

  Halves() = default;
  Halves(Precision precision, MatrixView<const float> matrix, StreamHandle stream) {
    if (precision == Precision::float16) float16.emplace(matrix, stream);
    if (precision == Precision::bfloat16) bfloat16.emplace(matrix, stream);
  }
  static std::int64_t bytes_each(Precision precision, std::int64_t width) {
    return precision == Precision::float16 || precision == Precision::bfloat16 ? 2 * width + 8 : 0;
  }
};

/// Only inner products have bounds on what sixteen bits lose.
Precision scanned_in(const TopkProblem& problem) {
  return problem.metric == Metric::inner_product ? problem.precision : Precision::float32;
}

MatrixView<const float> strided(const float* data, std::int64_t rows, std::int64_t cols, std::int64_t stride) {
  MatrixView<const float> view(data, rows, cols);
  view.stride = stride;
  return view;
}

/// Some items on the device, with what a scan of them needs.
struct Part {
  Buffer<float> copy;
  Buffer<float> lengths;
  Halves halves;
  ItemRows rows;

  Part(const TopkProblem& problem, const float* biases, std::int64_t first, std::int64_t count, bool on_device,
       StreamHandle stream) {
    const std::int64_t width = problem.items.cols;
    if (!on_device) copy = upload_rows(problem.items, first, count, stream);
    rows = {on_device ? problem.items.data + first * problem.items.stride : copy.data(),
            on_device ? problem.items.stride : width,
            first,
            count,
            biases,
            nullptr};
    if (problem.metric == Metric::cosine) {
      lengths = Buffer<float>(count, stream);
      launch(row_lengths, count, stream, rows.values, rows.stride, count, width, lengths.data());
      rows.lengths = lengths.data();
    }
    halves = Halves(scanned_in(problem), strided(rows.values, count, width, rows.stride), stream);
  }
};

/// One call: what holds for all its chunks of queries and parts of items.
class Search {
 public:
  Search(const TopkProblem& problem, const CandidateFilter& filter, const Execution& execution)
      : problem_(problem),
        filter_(filter),
        on_device_(execution.memory == Memory::device),
        stream_(execution.stream),
        progress_(execution, stream_.handle()) {
    const StreamHandle stream = stream_.handle();
    biases_ = uploaded<float>(problem.biases, stream);
    refused_ = uploaded<unsigned>(refused_by_all(filter, problem.items.rows), stream);
    if (filter.allow_shared && !filter.allow) {
      listed_host_.assign(filter.allow_shared->begin(), filter.allow_shared->end());
      std::sort(listed_host_.begin(), listed_host_.end());
      listed_host_.erase(std::unique(listed_host_.begin(), listed_host_.end()), listed_host_.end());
      listed_ = uploaded<std::int32_t>(listed_host_, stream);
    }
    is_listed_ = filter.allow_shared.has_value() && !filter.allow;
    synchronize(stream);  // what was copied from may end with this call
  }

  void run(MatrixView<std::int32_t> ids, MatrixView<float> scores) {
    const std::int64_t positions = is_listed_ ? std::ssize(listed_host_) : problem_.items.rows;
    const std::int64_t n = problem_.queries.rows;
    k_ = std::min(ids.cols, positions);
    slab_ = std::clamp<std::int64_t>(kSlabKeys / std::max<std::int64_t>(std::min(n, kMostQueries), 1), kLeastSlab,
                                     kMostSlab);
    slab_ = std::min(slab_, std::max<std::int64_t>(tiles_for(positions) * kTile, kTile));
    capacity_ = std::max(k_ + slab_, static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(k_))));
    part_rows_ = rows_of_part();
    const std::int64_t each = capacity_ * 8 + problem_.queries.cols * 4 + ids.cols * 8 + 32 + listed_bytes(n) +
                              Halves::bytes_each(scanned_in(problem_), problem_.queries.cols);
    const std::int64_t chunk = chunk_that_fits(std::min(n, kMostQueries), each, part_bytes(part_rows_), "topk");
    // Items that fit are copied once for all chunks.
    std::optional<Part> all;
    if (part_rows_ >= problem_.items.rows)
      all.emplace(problem_, biases(), 0, problem_.items.rows, on_device_, stream_.handle());
    for (std::int64_t first = 0; first < n; first += chunk) {
      const std::int64_t count = std::min(chunk, n - first);
      search(first, count, all ? &*all : nullptr, ids, scores);
      progress_.report(static_cast<double>(first + count) / static_cast<double>(n));
    }
    synchronize(stream_.handle());
  }

 private:
  [[nodiscard]] const float* biases() const { return problem_.biases.empty() ? nullptr : biases_.data(); }

  [[nodiscard]] std::int64_t part_bytes(std::int64_t rows) const {
    const std::int64_t width = problem_.items.cols;
    const std::int64_t each = (on_device_ ? 0 : 4 * width) + Halves::bytes_each(scanned_in(problem_), width) +
                              (problem_.metric == Metric::cosine ? 4 : 0);
    return rows * each;
  }

  /// All items where they take half of what is free, and otherwise as many as do.
  [[nodiscard]] std::int64_t rows_of_part() const {
    const std::int64_t each = std::max<std::int64_t>(part_bytes(1), 1);
    const std::int64_t room = std::max<std::int64_t>(free_memory() / 2 / each / kTile * kTile, kTile);
    return std::max<std::int64_t>(std::min(problem_.items.rows, room), 1);
  }

  /// What the lists of a query take on average.
  [[nodiscard]] std::int64_t listed_bytes(std::int64_t n) const {
    std::int64_t entries = 0;
    for (const RowsOf& rows : filter_.exclude) entries += rows.csr.nnz();
    if (filter_.allow) entries += filter_.allow->csr.nnz();
    return entries * 4 / std::max<std::int64_t>(n, 1) + 16;
  }

  void search(std::int64_t first, std::int64_t count, const Part* all, MatrixView<std::int32_t> ids,
              MatrixView<float> scores) {
    const StreamHandle stream = stream_.handle();
    Buffer<float> copied;
    QueryRows queries{problem_.queries.data + first * problem_.queries.stride, problem_.queries.stride, count,
                      problem_.queries.cols};
    if (!on_device_) {
      copied = upload_rows(problem_.queries, first, count, stream);
      queries.values = copied.data();
      queries.stride = problem_.queries.cols;
    }
    Buffer<Key> keys(count * capacity_, stream);
    Buffer<unsigned> counts(count, stream);
    Buffer<Key> bounds(count, stream);
    counts.fill_zero();
    Buffer<float> thresholds;
    if (!problem_.thresholds.empty())
      thresholds = uploaded<float>(problem_.thresholds.subspan(at(first), at(count)), stream);
    launch(start_bounds, blocks_for(count), stream, thresholds.data(), bounds.data(), count);
    const Halves halves(scanned_in(problem_), strided(queries.values, count, queries.width, queries.stride), stream);
    const Lists excluded_host = filter_.exclude.empty() ? Lists{} : excluded_of(filter_, first, count);
    const DeviceLists excluded(excluded_host, stream);
    const Lists allowed_host = filter_.allow ? allowed_of(*filter_.allow, first, count) : Lists{};
    const DeviceLists allowed(allowed_host, stream);
    DeviceFilter device_filter;
    if (refused_.size() > 0) device_filter.refused = refused_.data();
    if (!filter_.exclude.empty()) {
      device_filter.excluded_begin = excluded.begin.data();
      device_filter.excluded = excluded.items.data();
    }
    const Candidates found{keys.data(), capacity_, counts.data(), bounds.data()};

    for (std::int64_t part_first = 0; part_first < problem_.items.rows; part_first += part_rows_) {
      std::optional<Part> own;
      if (all == nullptr)
        own.emplace(problem_, biases(), part_first, std::min(part_rows_, problem_.items.rows - part_first), on_device_,
                    stream);
      const Part& part = all != nullptr ? *all : *own;
      if (filter_.allow) {
        std::int64_t longest = 0;
        for (std::int64_t q = 0; q < count; ++q)
          longest = std::max<std::int64_t>(longest, allowed_host.begin[at(q + 1)] - allowed_host.begin[at(q)]);
        for (std::int64_t begin = 0; begin < longest; begin += slab_) {
          rank_lists(queries, part.rows, allowed, begin, device_filter, found);
          thin_out(found, bounds, count);
        }
        continue;
      }
      const auto [begin, end] = positions_of(part.rows);
      for (std::int64_t from = begin; from < end; from += slab_) {
        scan(queries, halves, part, from, std::min(from + slab_, end), device_filter, found);
        thin_out(found, bounds, count);
        progress_.report(static_cast<double>(first) / static_cast<double>(problem_.queries.rows));
      }
    }
    if (on_device_) {
      launch(write_best, count, stream, found, count, ids.cols, ids.data + first * ids.stride, ids.stride,
             scores.data + first * scores.stride, scores.stride);
      synchronize(stream);  // the lists of this chunk end with it
      return;
    }
    Buffer<std::int32_t> found_ids(count * ids.cols, stream);
    Buffer<float> found_scores(count * ids.cols, stream);
    launch(write_best, count, stream, found, count, ids.cols, found_ids.data(), ids.cols, found_scores.data(),
           ids.cols);
    found_ids.download({ids.data + first * ids.cols, at(count * ids.cols)});
    found_scores.download({scores.data + first * scores.cols, at(count * ids.cols)});
  }

  /// The positions of a scan that a part of the items has.
  [[nodiscard]] std::pair<std::int64_t, std::int64_t> positions_of(const ItemRows& rows) const {
    if (!is_listed_) return {0, rows.count};
    const auto place = [&](std::int64_t item) {
      return std::lower_bound(listed_host_.begin(), listed_host_.end(), item) - listed_host_.begin();
    };
    return {place(rows.first), place(rows.first + rows.count)};
  }

  void scan(const QueryRows& queries, const Halves& query_halves, const Part& part, std::int64_t begin,
            std::int64_t end, const DeviceFilter& filter, const Candidates& found) {
    const StreamHandle stream = stream_.handle();
    const std::int32_t* listed = is_listed_ ? listed_.data() : nullptr;
    const std::int64_t tiles = tiles_for(queries.count) * tiles_for(end - begin);
    const auto scan_in = [&]<typename Half>(const Narrowed<Half>& own, const Narrowed<Half>& theirs) {
      launch(has_tensor_cores() ? scan_halves<Half, true> : scan_halves<Half, false>, tiles, stream, queries,
             own.rows(), part.rows, theirs.rows(), listed, begin, end, filter, found);
    };
    if (part.halves.float16)
      scan_in(*query_halves.float16, *part.halves.float16);
    else if (part.halves.bfloat16)
      scan_in(*query_halves.bfloat16, *part.halves.bfloat16);
    else if (problem_.metric == Metric::inner_product)
      launch(scan_floats<ScoreKind::product>, tiles, stream, queries, part.rows, listed, begin, end, filter, found);
    else if (problem_.metric == Metric::cosine)
      launch(scan_floats<ScoreKind::cosine>, tiles, stream, queries, part.rows, listed, begin, end, filter, found);
    else
      launch(scan_floats<ScoreKind::distance>, tiles, stream, queries, part.rows, listed, begin, end, filter, found);
  }

  void rank_lists(const QueryRows& queries, const ItemRows& items, const DeviceLists& lists, std::int64_t first,
                  const DeviceFilter& filter, const Candidates& found) {
    const auto rank = [&](auto kernel) {
      launch(kernel, queries.count, stream_.handle(), queries, items, lists.begin.data(), lists.items.data(), first,
             slab_, filter, found);
    };
    if (problem_.metric == Metric::inner_product)
      rank(scan_lists<ScoreKind::product>);
    else if (problem_.metric == Metric::cosine)
      rank(scan_lists<ScoreKind::cosine>);
    else
      rank(scan_lists<ScoreKind::distance>);
  }

  void thin_out(const Candidates& found, Buffer<Key>& bounds, std::int64_t queries) {
    launch(keep_best, queries, stream_.handle(), found, bounds.data(), queries, k_);
  }

  const TopkProblem& problem_;
  const CandidateFilter& filter_;
  bool on_device_;
  Stream stream_;
  Progress progress_;
  Buffer<float> biases_;
  Buffer<unsigned> refused_;
  std::vector<std::int32_t> listed_host_;
  Buffer<std::int32_t> listed_;
  bool is_listed_ = false;
  std::int64_t k_ = 0;
  std::int64_t slab_ = 0;
  std::int64_t capacity_ = 0;
  std::int64_t part_rows_ = 0;
};

/// Throws naming the first row of a matrix on the device that is not finite.
void require_finite(MatrixView<const float> matrix, const char* argument, StreamHandle stream) {
  Buffer<unsigned long long> found(1, stream);
  const auto none = static_cast<unsigned long long>(matrix.rows);
  found.upload({&none, 1});
  launch(find_not_finite, matrix.rows, stream, matrix.data, matrix.stride, matrix.rows, matrix.cols, found.data());
  const unsigned long long row = found.to_host()[0];
  if (row == none) return;
  std::vector<float> values(at(matrix.cols));
  copy_to_host(values.data(), matrix.data + static_cast<std::int64_t>(row) * matrix.stride, matrix.cols * 4, stream);
  for (const float value : values)
    require(std::isfinite(value), [&] {
      return std::string(argument) + ": expected finite values, got " + std::to_string(value) + " in row " +
             std::to_string(row);
    });
}

}  // namespace

void topk_cuda(const TopkProblem& problem, const CandidateFilter& filter, MatrixView<std::int32_t> ids,
               MatrixView<float> scores, const Execution& execution) {
  require_device();
  if (execution.memory == Memory::device) {
    const Stream stream(execution.stream);
    require_finite(problem.queries, "queries", stream.handle());
    require_finite(problem.items, "items", stream.handle());
  }
  if (ids.rows == 0 || ids.cols == 0) return;
  Search(problem, filter, execution).run(ids, scores);
}

void score_all_cuda(MatrixView<const float> queries, MatrixView<const float> items, MatrixView<float> scores,
                    const Execution& execution) {
  require_device();
  const Stream own(execution.stream);
  const StreamHandle stream = own.handle();
  const bool on_device = execution.memory == Memory::device;
  if (on_device) {
    require_finite(queries, "queries", stream);
    require_finite(items, "items", stream);
  }
  if (scores.rows == 0 || scores.cols == 0) return;
  const DeviceMatrix item_matrix(items, on_device, stream);
  const ItemRows item_rows{item_matrix.data(), item_matrix.stride(), 0, items.rows, nullptr, nullptr};
  const std::int64_t each = 4 * (items.rows + queries.cols);
  const std::int64_t chunk = on_device ? queries.rows : chunk_that_fits(queries.rows, each, 0, "score_all");
  for (std::int64_t first = 0; first < queries.rows; first += chunk) {
    const std::int64_t count = std::min(chunk, queries.rows - first);
    const std::int64_t tiles = tiles_for(count) * tiles_for(items.rows);
    if (on_device) {
      launch(score_pairs, tiles, stream, QueryRows{queries.data, queries.stride, count, queries.cols}, item_rows,
             scores.data, scores.stride);
      continue;
    }
    const Buffer<float> rows = upload_rows(queries, first, count, stream);
    const Buffer<float> found(count * items.rows, stream);
    launch(score_pairs, tiles, stream, QueryRows{rows.data(), queries.cols, count, queries.cols}, item_rows,
           found.data(), items.rows);
    download_rows(found, scores, first, count);
  }
  synchronize(stream);
}

}  // namespace recocore
