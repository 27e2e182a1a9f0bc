#include "ops/similarity_cuda.hpp"

#include <algorithm>
#include <functional>
#include <limits>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "cuda/buffer.hpp"
#include "cuda/progress.hpp"
#include "cuda/stream.hpp"
#include "ops/cuda/row_products.cuh"
#include "ops/similarity/entry_weights.hpp"
#include "ops/similarity/formula.hpp"
#include "ops/similarity/id_order.hpp"
#include "ops/similarity/neighbor_store.hpp"
#include "recocore/error.hpp"
#include "recocore/memory.hpp"

namespace recocore {
namespace {

using namespace cuda;

// Results that are on the device at a time, in keys: 256 MiB.
constexpr std::int64_t kChunkKeys = 33'554'432;
constexpr std::int64_t kChunkRows = 262'144;
constexpr std::int64_t kChunkEntries = 16'777'216;

std::size_t at(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

/// A sparse product as both operations have it.
struct ProductTask {
  std::string name;
  PairKind kind;
  const CsrView& left;
  std::vector<double> left_weights;  ///< of each entry; empty for counts
  std::optional<std::span<const std::int32_t>> rows;
  std::span<const std::int64_t> right_begin;
  std::span<const std::int32_t> right_partners;
  std::vector<double> right_weights;
  std::int64_t partners;
  PairFormula formula;
  Selection selection;
  std::optional<std::int64_t> k;
};

class RowProducts {
 public:
  RowProducts(const ProductTask& task, const Execution& execution)
      : task_(task), stream_(execution.stream), progress_(execution, stream_.handle()), budget_(task.name) {
    const StreamHandle stream = stream_.handle();
    const std::vector<long long> begin(task.right_begin.begin(), task.right_begin.end());
    right_begin_ = uploaded<long long>(begin, stream);
    right_partners_ = uploaded<std::int32_t>(task.right_partners, stream);
    right_weights_ = uploaded<double>(task.right_weights, stream);
    synchronize(stream);
  }

  CsrMatrix run() {
    const std::int64_t count = task_.rows ? std::ssize(*task_.rows) : task_.left.rows;
    CsrMatrix result{count, task_.partners, {0}, {}, {}};
    result.indptr.reserve(at(count + 1));
    for (std::int64_t first = 0; first < count;) {
      first += take_chunk(first, count, result);
      progress_.report(static_cast<double>(first) / static_cast<double>(count));
    }
    return result;
  }

 private:
  [[nodiscard]] std::int32_t row_at(std::int64_t place) const {
    return task_.rows ? (*task_.rows)[at(place)] : static_cast<std::int32_t>(place);
  }

  /// How many partners the row may have: no more than there are entries in its columns.
  [[nodiscard]] std::int64_t most_partners(std::int32_t row) const {
    std::int64_t met = 0;
    for (const std::int32_t column : task_.left.row(row))
      met += task_.right_begin[at(column) + 1] - task_.right_begin[at(column)];
    return std::min(met, task_.partners);
  }

  /// Rows from place `first` on, as many as go together, to the end of the result; returns their number.
  std::int64_t take_chunk(std::int64_t first, std::int64_t count, CsrMatrix& result) {
    const StreamHandle stream = stream_.handle();
    std::vector<std::int32_t> numbers;
    std::vector<long long> begin{0};
    std::vector<std::int32_t> columns;
    std::vector<double> weights;
    std::vector<long long> places{0};
    std::vector<std::int64_t> partners_of;
    std::vector<std::int32_t> tables;
    std::vector<std::int32_t> arrays;
    std::int64_t most_candidates = 0;
    const std::int64_t room = std::min(kChunkKeys, std::max<std::int64_t>(free_memory() / 64, 1));
    while (first + std::ssize(numbers) < count && std::ssize(numbers) < kChunkRows &&
           (numbers.empty() || (places.back() < room && begin.back() < kChunkEntries))) {
      const std::int32_t row = row_at(first + std::ssize(numbers));
      const std::int64_t partners = most_partners(row);
      const auto here = static_cast<std::int32_t>(numbers.size());
      const auto own = task_.left.row(row);
      numbers.push_back(row);
      partners_of.push_back(partners);
      columns.insert(columns.end(), own.begin(), own.end());
      if (!task_.left_weights.empty()) {
        const auto from = task_.left_weights.begin() + task_.left.indptr[at(row)];
        weights.insert(weights.end(), from, from + std::ssize(own));
      }
      begin.push_back(std::ssize(columns));
      places.push_back(places.back() + std::min(partners, task_.k.value_or(partners)));
      // A table at most half full finds a slot within a few steps.
      (2 * partners <= slots_of(task_.kind) ? tables : arrays).push_back(here);
      most_candidates = std::max(most_candidates, partners);
    }
    const auto rows = std::ssize(numbers);
    const Buffer<std::int32_t> device_numbers = uploaded<std::int32_t>(numbers, stream);
    const Buffer<long long> device_begin = uploaded<long long>(begin, stream);
    const Buffer<std::int32_t> device_columns = uploaded<std::int32_t>(columns, stream);
    const Buffer<double> device_weights = uploaded<double>(weights, stream);
    const Buffer<long long> device_places = uploaded<long long>(places, stream);
    const Buffer<Key> keys(places.back(), stream);
    const Buffer<std::int32_t> counts(rows, stream);
    const LeftRows left{device_numbers.data(), device_begin.data(), device_columns.data(), device_weights.data()};
    const RowResults results{device_places.data(), keys.data(), counts.data()};
    // The rows that meet the most partners first.
    const auto more = [&](std::int32_t a, std::int32_t b) { return partners_of[at(a)] > partners_of[at(b)]; };
    std::stable_sort(arrays.begin(), arrays.end(), more);
    select<true>(left, tables, std::min(most_candidates, slots_of(task_.kind)), results);
    select<false>(left, arrays, most_candidates, results);
    append(rows, places, counts.to_host(), keys.to_host(), result);
    return rows;
  }

  template <bool is_table>
  void select(const LeftRows& left, const std::vector<std::int32_t>& rows, std::int64_t capacity,
              const RowResults& results) {
    switch (task_.kind) {
      case PairKind::counts: return select_as<PairKind::counts, is_table>(left, rows, capacity, results);
      case PairKind::products: return select_as<PairKind::products, is_table>(left, rows, capacity, results);
      case PairKind::moments: return select_as<PairKind::moments, is_table>(left, rows, capacity, results);
    }
  }

  template <PairKind kind, bool is_table>
  void select_as(const LeftRows& left, const std::vector<std::int32_t>& rows, std::int64_t capacity,
                 const RowResults& results) {
    if (rows.empty()) return;
    const StreamHandle stream = stream_.handle();
    const std::int64_t slots = is_table ? slots_of(kind) : task_.partners;
    const std::int64_t each = capacity * 8 + slots * 4 + (is_table ? 0 : slots * (4 + 8 * doubles_of(kind)));
    const std::int64_t wanted = std::min<std::int64_t>({std::ssize(rows), 8LL * multiprocessors(), most_blocks()});
    const std::int64_t blocks = chunk_that_fits(wanted, each, 0, task_.name);
    const Buffer<std::int32_t> device_rows = uploaded<std::int32_t>(rows, stream);
    const Buffer<Key> candidates(blocks * capacity, stream);
    const Buffer<std::int32_t> touched(blocks * slots, stream);
    Buffer<unsigned> counts(is_table ? 0 : blocks * slots, stream);
    Buffer<double> sums(is_table ? 0 : blocks * slots * doubles_of(kind), stream);
    counts.fill_zero();
    sums.fill_zero();
    const RowTask work{device_rows.data(), std::ssize(rows), candidates.data(), capacity,
                       counts.data(),      sums.data(),      touched.data()};
    const RightColumns right{right_begin_.data(), right_partners_.data(), right_weights_.data(), task_.partners};
    launch(select_partners<kind, is_table>, blocks, stream, left, right, task_.formula, task_.selection, work, results);
  }

  /// The rows' best, in the order of their ids, to the end of the result.
  void append(std::int64_t rows, const std::vector<long long>& places, const std::vector<std::int32_t>& counts,
              const std::vector<Key>& keys, CsrMatrix& result) {
    IdOrder order(task_.partners);
    const auto added = std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
    // Once for what there is, and once for the larger room that a vector moves it to.
    budget_.take(added, 2 * (sizeof(std::int32_t) + sizeof(float)), "lower k, raise threshold or compare fewer rows");
    std::vector<NeighborKey> row;
    for (std::int64_t r = 0; r < rows; ++r) {
      const auto from = keys.begin() + places[at(r)];
      row.assign(from, from + counts[at(r)]);
      const std::size_t end = result.indices.size();
      result.indices.resize(end + row.size());
      result.values.resize(end + row.size());
      order.write(row, result.indices.data() + end, result.values.data() + end);
      result.indptr.push_back(std::ssize(result.indices));
    }
  }

  const ProductTask& task_;
  Stream stream_;
  Progress progress_;
  MemoryBudget budget_;
  Buffer<long long> right_begin_;
  Buffer<std::int32_t> right_partners_;
  Buffer<double> right_weights_;
};

/// The least key of a score of at least the threshold.
Key least_key(std::optional<float> threshold) {
  if (!threshold) return 0;
  return neighbor_key(*threshold + 0.0F, 0) & 0xffffffff00000000U;
}

PairForm form_of(const Formula& formula, SimilarityKind kind) {
  switch (formula.terms().form) {
    case Formula::Form::product: return PairForm::product;
    case Formula::Form::ratio: return kind == SimilarityKind::tversky ? PairForm::tversky : PairForm::ratio;
    case Formula::Form::likelihood: return PairForm::likelihood;
    case Formula::Form::other: break;
  }
  return kind == SimilarityKind::pearson ? PairForm::pearson : PairForm::corated;
}

}  // namespace

CsrMatrix similarity_cuda(const CsrView& matrix, const SimilarityParams& params,
                          const std::optional<std::span<const std::int32_t>>& rows, const Execution& execution) {
  require_device();
  const Execution host{execution.num_threads, execution.monitor};
  const EntryWeights weights(matrix, params);
  const Formula formula(matrix, weights, params, host);
  const CsrMatrix columns = transpose(matrix, host);
  const SumsNeeded needed = sums_needed(params.kind);
  const PairKind kind = needed == SumsNeeded::counts     ? PairKind::counts
                        : needed == SumsNeeded::products ? PairKind::products
                                                         : PairKind::moments;
  ProductTask task{"similarity",    kind, matrix,      {}, rows, columns.indptr,
                   columns.indices, {},   matrix.rows, {}, {},   params.k};
  if (kind != PairKind::counts) {
    task.left_weights.reserve(matrix.indices.size());
    for (std::int64_t r = 0; r < matrix.rows; ++r)
      for (std::size_t e = 0; e < matrix.row(r).size(); ++e)
        task.left_weights.push_back(weights(r, matrix.row(r)[e], matrix.row_values(r)[e]));
    const CsrView by_column = columns.view();
    task.right_weights.reserve(columns.indices.size());
    for (std::int64_t c = 0; c < matrix.cols; ++c)
      for (std::size_t e = 0; e < by_column.row(c).size(); ++e)
        task.right_weights.push_back(
            weights(by_column.row(c)[e], static_cast<std::int32_t>(c), by_column.row_values(c)[e]));
  }
  std::vector<std::int32_t> entries(at(matrix.rows));
  for (std::int64_t r = 0; r < matrix.rows; ++r) entries[at(r)] = static_cast<std::int32_t>(matrix.row(r).size());
  const Stream own(execution.stream);
  const StreamHandle stream = own.handle();
  const Formula::Terms terms = formula.terms();
  const Buffer<double> left = uploaded<double>(terms.left, stream);
  const Buffer<double> right = uploaded<double>(terms.right, stream);
  const Buffer<std::int32_t> row_entries = uploaded<std::int32_t>(entries, stream);
  synchronize(stream);
  task.formula = {form_of(formula, params.kind),
                  terms.scale,
                  terms.own,
                  terms.normalised,
                  left.data(),
                  right.data(),
                  params.alpha,
                  params.beta,
                  static_cast<double>(matrix.cols),
                  row_entries.data(),
                  params.shrinkage};
  task.selection = {params.k.value_or(std::numeric_limits<std::int64_t>::max()),
                    static_cast<double>(params.min_support), least_key(params.threshold), params.include_self, false};
  return RowProducts(task, execution).run();
}

CsrMatrix matmul_topk_cuda(const CsrView& a, const CsrView& b, const MatmulTopkParams& params,
                           const Execution& execution) {
  require_device();
  // The partners of a column are added to together, so none may be there twice.
  for (std::int64_t r = 0; r < b.rows; ++r) {
    const auto columns = b.row(r);
    require(std::adjacent_find(columns.begin(), columns.end(), std::greater_equal<>()) == columns.end(), [&] {
      return "b: expected columns that rise in each row, without duplicates, got others in row " + std::to_string(r) +
             "; build it with Csr.from_coo or Csr.from_scipy";
    });
  }
  ProductTask task{"matmul_topk",
                   PairKind::products,
                   a,
                   {a.values.begin(), a.values.end()},
                   {},
                   b.indptr,
                   b.indices,
                   {b.values.begin(), b.values.end()},
                   b.cols,
                   {},
                   {},
                   params.k};
  task.selection = {params.k.value_or(std::numeric_limits<std::int64_t>::max()), 1, least_key(params.threshold), true,
                    true};
  return RowProducts(task, execution).run();
}

}  // namespace recocore
