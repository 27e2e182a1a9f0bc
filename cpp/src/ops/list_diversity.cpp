#include "recocore/list_diversity.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "recocore/error.hpp"

namespace recocore {
namespace {

constexpr std::int64_t kListsAtATime = 16;

std::size_t at(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

/// One item's vector: its values, and where they are; no positions means 0, 1, 2, ...
struct ItemVector {
  std::span<const float> values;
  std::span<const std::int32_t> positions;

  template <typename Visit>
  void each(const Visit& visit) const {
    for (std::size_t e = 0; e < values.size(); ++e)
      visit(positions.empty() ? e : static_cast<std::size_t>(positions[e]), static_cast<double>(values[e]));
  }
};

template <typename VectorOf>
std::vector<double> diversity(const MatrixView<const std::int32_t>& ids, std::int64_t items, std::int64_t dimensions,
                              const VectorOf& vector_of, std::span<const std::int64_t> cutoffs,
                              const Execution& execution) {
  for (const std::int64_t k : cutoffs)
    require(k >= 1, [&] { return "k: expected cutoffs of at least 1, got " + std::to_string(k); });
  const std::int64_t deepest = cutoffs.empty() ? 0 : std::min(std::ranges::max(cutoffs), ids.cols);

  std::vector<double> out(cutoffs.size() * at(ids.rows), 0.0);
  const std::size_t workers = at(resolve_threads(execution.num_threads));
  std::vector<std::vector<double>> sums(workers, std::vector<double>(at(dimensions), 0.0));
  std::vector<std::vector<double>> pair_sums(workers, std::vector<double>(at(deepest) + 1));

  parallel_for(execution, ids.rows, kListsAtATime, [&](std::int64_t begin, std::int64_t end, int worker) {
    std::vector<double>& sum = sums[at(worker)];            // of the unit vectors so far
    std::vector<double>& pair_sum = pair_sums[at(worker)];  // of the cosines among the first j items
    for (std::int64_t row = begin; row < end; ++row) {
      std::int64_t length = 0;
      for (const std::int32_t item : ids.row(row).first(at(deepest))) {
        if (item == -1) break;
        require(item >= 0 && item < items, [&] {
          return "ids: expected -1 or numbers in [0, " + std::to_string(items) + "), got " + std::to_string(item) +
                 " in row " + std::to_string(row);
        });
        const ItemVector vector = vector_of(item);
        double squares = 0.0;
        vector.each([&](std::size_t, double v) { squares += v * v; });
        require(std::isfinite(squares),
                [&] { return "item_vectors: expected finite values, got others for item " + std::to_string(item); });
        const double scale = squares > 0.0 ? 1.0 / std::sqrt(squares) : 0.0;
        double cosines = 0.0;
        vector.each([&](std::size_t d, double v) {
          cosines += sum[d] * (v * scale);
          sum[d] += v * scale;
        });
        pair_sum[at(length) + 1] = pair_sum[at(length)] + cosines;
        ++length;
      }
      for (const std::int32_t item : ids.row(row).first(at(length)))
        vector_of(item).each([&](std::size_t d, double) { sum[d] = 0.0; });

      for (std::size_t c = 0; c < cutoffs.size(); ++c) {
        const std::int64_t listed = std::min(cutoffs[c], length);
        if (listed < 2) continue;
        const double pairs = 0.5 * static_cast<double>(listed) * static_cast<double>(listed - 1);
        out[c * at(ids.rows) + at(row)] = 1.0 - pair_sum[at(listed)] / pairs;
      }
    }
  });
  return out;
}

}  // namespace

std::vector<double> list_diversity(const MatrixView<const std::int32_t>& ids, const MatrixView<const float>& vectors,
                                   std::span<const std::int64_t> cutoffs, const Execution& execution) {
  return diversity(
      ids, vectors.rows, vectors.cols, [&](std::int32_t item) { return ItemVector{vectors.row(item), {}}; }, cutoffs,
      execution);
}

std::vector<double> list_diversity(const MatrixView<const std::int32_t>& ids, const CsrView& vectors,
                                   std::span<const std::int64_t> cutoffs, const Execution& execution) {
  validate(vectors, "item_vectors");
  return diversity(
      ids, vectors.rows, vectors.cols,
      [&](std::int32_t item) { return ItemVector{vectors.row_values(item), vectors.row(item)}; }, cutoffs, execution);
}

}  // namespace recocore
