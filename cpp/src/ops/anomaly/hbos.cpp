#include "recocore/anomaly/hbos.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "base/per_worker.hpp"
#include "recocore/error.hpp"

namespace recocore {
namespace {

std::size_t at(std::int64_t index) {
  return static_cast<std::size_t>(index);
}

struct Histogram {
  std::vector<double> edges;
  std::vector<double> density;
};

bool strictly_rising(const std::vector<double>& edges) {
  return std::adjacent_find(edges.begin(), edges.end(), [](double a, double b) { return !(a < b); }) == edges.end();
}

std::vector<double> equal_widths(double low, double high, std::int64_t bins) {
  std::vector<double> edges(at(bins + 1));
  // numpy.linspace's arithmetic, so that edges are the same to the bit; where the range overflows, halves of it.
  const double step = (high - low) / static_cast<double>(bins);
  for (std::int64_t i = 0; i <= bins; ++i) {
    const double share = static_cast<double>(i) / static_cast<double>(bins);
    edges[at(i)] = std::isfinite(step) ? static_cast<double>(i) * step + low : low * (1 - share) + high * share;
  }
  edges.back() = high;
  return edges;
}

/// Equal values share a bin, and an edge lies between two values: none is at it.
std::vector<double> equal_counts(const std::vector<double>& sorted, std::int64_t bins) {
  std::vector<double> edges{sorted.front()};
  const auto n = static_cast<std::int64_t>(sorted.size());
  for (std::int64_t i = 1; i < bins; ++i) {
    const auto next =
        std::upper_bound(sorted.begin(), sorted.end(), sorted[at(std::max<std::int64_t>(n * i / bins, 1) - 1)]);
    if (next == sorted.end()) break;
    const double edge = *(next - 1) / 2 + *next / 2;
    if (edge > edges.back() && edge < sorted.back()) edges.push_back(edge);
  }
  edges.push_back(sorted.back());
  return edges;
}

/// Values in bins [edge, next edge), the last with its end.
Histogram histogram(std::vector<double> values, std::int64_t bins, BinKind kind) {
  Histogram result;
  if (values.empty()) return result;
  std::sort(values.begin(), values.end());
  result.edges =
      kind == BinKind::equal_width ? equal_widths(values.front(), values.back(), bins) : equal_counts(values, bins);
  // One value, or values so near each other that there are no numbers between them.
  if (!strictly_rising(result.edges)) {
    const double low = values.front();
    const double high = values.back();
    // As numpy.histogram does for one value; beyond 2^53 half a unit is lost.
    result.edges = kind == BinKind::equal_width && low == high ? equal_widths(low - 0.5, high + 0.5, bins)
                                                               : std::vector<double>{low - 0.5, high + 0.5};
    // Next to the largest number there is nothing above.
    constexpr double kMost = std::numeric_limits<double>::max();
    if (!strictly_rising(result.edges))
      result.edges = {std::max(low - std::abs(low) * 1e-15, -kMost), std::min(high + std::abs(high) * 1e-15, kMost)};
  }
  const auto total = static_cast<double>(values.size());
  auto begin = values.begin();
  for (std::size_t b = 0; b + 1 < result.edges.size(); ++b) {
    const bool last = b + 2 == result.edges.size();
    const auto end = last ? values.end() : std::lower_bound(begin, values.end(), result.edges[b + 1]);
    const auto count = static_cast<double>(end - begin);
    // Halves, since a width may overflow; and a density of subnormal widths would.
    const double width = result.edges[b + 1] - result.edges[b];
    const double density = std::isfinite(width) ? count / width / total
                                                : count / (result.edges[b + 1] / 2 - result.edges[b] / 2) / total / 2;
    result.density.push_back(std::min(density, 1e300));
    begin = end;
  }
  return result;
}

}  // namespace

HistogramArrays Hbos::fit(const FeatureMatrix& rows, std::int64_t bins, BinKind kind, const Execution& execution) {
  const std::int64_t n = rows.rows();
  const std::int64_t f = rows.cols();
  require(n > 0 && f > 0, [&] {
    return "X: expected at least one row and one feature, got " + std::to_string(n) + " x " + std::to_string(f);
  });
  require(bins >= 2 && bins <= 1'000'000, [&] { return "n_bins: expected 2 to 1000000, got " + std::to_string(bins); });
  std::vector<double> columns(at(n) * at(f));
  parallel_for(execution, n, kRowBlock, [&](std::int64_t begin, std::int64_t end, int) {
    rows.read_columns(begin, end, columns.data() + begin, n);
  });
  std::vector<Histogram> made(at(f));
  parallel_for(execution, f, 1, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t j = begin; j < end; ++j) {
      std::vector<double> present(columns.data() + j * n, columns.data() + (j + 1) * n);
      std::erase_if(present, [](double v) { return std::isnan(v); });
      made[at(j)] = histogram(std::move(present), bins, kind);
    }
  });
  HistogramArrays arrays;
  arrays.bins.push_back(0);
  for (Histogram& one : made) {
    if (one.edges.empty()) one.edges.push_back(0);
    arrays.bins.push_back(arrays.bins.back() + static_cast<std::int64_t>(one.density.size()));
    arrays.edges.insert(arrays.edges.end(), one.edges.begin(), one.edges.end());
    arrays.density.insert(arrays.density.end(), one.density.begin(), one.density.end());
  }
  return arrays;
}

Hbos::Hbos(HistogramArrays arrays, double alpha, double tolerance) : arrays_(std::move(arrays)), tolerance_(tolerance) {
  require(alpha > 0 && std::isfinite(alpha),
          [&] { return "alpha: expected a finite number > 0, got " + std::to_string(alpha); });
  require(tolerance >= 0 && std::isfinite(tolerance),
          [&] { return "tolerance: expected a finite number >= 0, got " + std::to_string(tolerance); });
  const auto check = [](bool holds, const char* expected) {
    if (!holds) throw Error(ErrorCode::corrupt, std::string("hbos: expected ") + expected);
  };
  const auto& bins = arrays_.bins;
  check(bins.size() > 1 && bins.front() == 0 && std::is_sorted(bins.begin(), bins.end()) &&
            bins.back() == static_cast<std::int64_t>(arrays_.density.size()),
        "bins that rise from 0 to the number of densities");
  check(arrays_.edges.size() == arrays_.density.size() + bins.size() - 1, "one edge more than bins for each feature");
  for (const double density : arrays_.density) {
    check(std::isfinite(density) && density >= 0, "finite densities of at least 0");
    heights_.push_back(-std::log2(density + alpha));
  }
  for (std::int64_t j = 0; j < features(); ++j) {
    const std::int64_t begin = bins[at(j)];
    const std::int64_t end = bins[at(j + 1)];
    const double* edges = arrays_.edges.data() + begin + j;
    for (std::int64_t b = 0; b <= end - begin; ++b)
      check(std::isfinite(edges[b]) && (b == 0 || edges[b - 1] < edges[b]), "finite edges in ascending order");
    outside_.push_back(begin == end ? 0 : *std::max_element(heights_.data() + begin, heights_.data() + end));
  }
}

std::int64_t Hbos::features() const noexcept {
  return static_cast<std::int64_t>(arrays_.bins.size()) - 1;
}

double Hbos::reason(std::int64_t feature, double value) const {
  const std::int64_t begin = arrays_.bins[at(feature)];
  const std::int64_t bins = arrays_.bins[at(feature + 1)] - begin;
  if (bins == 0 || std::isnan(value)) return 0;
  const double* edges = arrays_.edges.data() + begin + feature;
  const double* heights = heights_.data() + begin;
  // As numpy.digitize(right=True), which pyod calls: a value at an edge belongs to the bin below.
  const std::int64_t place = std::lower_bound(edges, edges + bins + 1, value) - edges;
  if (place == 0) return edges[0] - value <= (edges[1] - edges[0]) * tolerance_ ? heights[0] : outside_[at(feature)];
  if (place == bins + 1) {
    const bool near = value - edges[bins] <= (edges[bins] - edges[bins - 1]) * tolerance_;
    return near ? heights[bins - 1] : outside_[at(feature)];
  }
  return heights[place - 1];
}

void Hbos::score(const FeatureMatrix& rows, std::span<double> scores, const Execution& execution) const {
  rows.require_features(features());
  PerWorker<std::vector<double>> scratch(execution);
  parallel_for(execution, rows.rows(), kRowBlock, [&](std::int64_t begin, std::int64_t end, int worker) {
    std::vector<double>& block = scratch.get(worker, [] { return std::vector<double>(); });
    block.resize(at((end - begin) * features()));
    rows.read_rows(begin, end, block.data());
    const double* value = block.data();
    for (std::int64_t r = begin; r < end; ++r) {
      double sum = 0;
      for (std::int64_t j = 0; j < features(); ++j) sum += reason(j, *value++);
      scores[at(r)] = sum;
    }
  });
}

void Hbos::explain(const FeatureMatrix& rows, MatrixView<double> reasons, const Execution& execution) const {
  rows.require_features(features());
  parallel_for(execution, rows.rows(), kRowBlock, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t r = begin; r < end; ++r) {
      const auto row = reasons.row(r);
      rows.read_rows(r, r + 1, row.data());
      for (std::int64_t j = 0; j < features(); ++j) row[at(j)] = reason(j, row[at(j)]);
    }
  });
}

}  // namespace recocore
