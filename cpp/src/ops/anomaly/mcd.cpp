#include "recocore/anomaly/mcd.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <string>
#include <utility>

#include "base/per_worker.hpp"
#include "base/random.hpp"
#include "kernels/float64/kernel.hpp"
#include "ops/anomaly/isolation_tree.hpp"
#include "ops/anomaly/scatter.hpp"
#include "recocore/error.hpp"

namespace recocore {
namespace {

std::size_t at(std::int64_t index) {
  return static_cast<std::size_t>(index);
}

using Rows = std::vector<std::int64_t>;

// Rousseeuw and Van Driessen's sizes: groups of 300 from 600 rows on, at most 5 of them; 500 starts in all, 2 steps
// each; the 10 best go on.
constexpr std::int64_t kGrouped = 600;
constexpr std::int64_t kGroup = 300;
constexpr std::int64_t kMostGroups = 5;
constexpr std::int64_t kStarts = 500;
constexpr int kFirstSteps = 2;
constexpr std::int64_t kBest = 10;
constexpr int kMostSteps = 100;
// Its square still has digits in common with a variance of 1, so that the scatter keeps its digits too: with 1e100 one
// such value in a few rows made it indefinite by rounding, and distances no numbers. A value further out is as far out.
constexpr double kFarthest = 1e7;

double median(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return *std::max_element(values.begin(), middle) / 2 + *middle / 2;
}

double standardised(double value, double center, double scale) {
  if (scale == 0) return 0;
  return std::clamp((value - center) / scale, -kFarthest, kFarthest);
}

struct Scales {
  std::vector<double> center;
  std::vector<double> scale;
};

/// Medians, and median absolute deviations; where that is 0 but the feature varies, mean absolute ones.
Scales scales_of(const FeatureMatrix& rows) {
  const std::int64_t n = rows.rows();
  const std::int64_t f = rows.cols();
  require(n > 0 && f > 0, [&] {
    return "X: expected at least one row and one feature, got " + std::to_string(n) + " x " + std::to_string(f);
  });
  std::vector<double> columns(at(n) * at(f));
  if (rows.read_columns(0, n, columns.data(), n))
    throw Error(ErrorCode::invalid_argument,
                "X: expected no missing values, got NaN; impute them, or fit another detector");
  Scales scales;
  for (std::int64_t j = 0; j < f; ++j) {
    std::vector<double> values(columns.data() + j * n, columns.data() + (j + 1) * n);
    const double center = median(values);
    for (double& v : values) v = std::abs(v / 2 - center / 2);
    double scale = median(values) * 2;
    if (scale == 0) {
      for (const double v : values) scale += v / static_cast<double>(n) * 2;
    }
    // Only rounding, or too small to divide by.
    if (!(scale > std::abs(center) * 1e-14) || scale < std::numeric_limits<double>::min()) scale = 0;
    scales.center.push_back(center);
    scales.scale.push_back(std::min(scale, std::numeric_limits<double>::max()));
    checkpoint();
  }
  return scales;
}

/// The h rows nearest by distance, ties by index.
Rows nearest(const std::vector<double>& distance, std::int64_t h) {
  Rows order(distance.size());
  std::iota(order.begin(), order.end(), 0);
  const auto nearer = [&](std::int64_t a, std::int64_t b) {
    return std::pair(distance[at(a)], a) < std::pair(distance[at(b)], b);
  };
  std::nth_element(order.begin(), order.begin() + (h - 1), order.end(), nearer);
  order.resize(at(h));
  std::sort(order.begin(), order.end());
  return order;
}

struct Candidate {
  Scatter scatter;
  Rows rows;
};

/// C-steps (theorem 1 of the paper): the h rows nearest to an estimate give one of no larger determinant.
void concentrate(Candidate& candidate, MatrixView<const double> rows, std::int64_t h, int steps) {
  std::vector<double> distance(at(rows.rows));
  for (int step = 0; step < steps; ++step) {
    distances(candidate.scatter, rows, distance);
    Rows next = nearest(distance, h);
    if (next == candidate.rows) return;
    candidate.rows = std::move(next);
    candidate.scatter = scatter_of(rows, candidate.rows, Mcd::kRidge, 1);
  }
}

void keep_best(std::vector<Candidate>& candidates, std::int64_t count) {
  std::stable_sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
    return a.scatter.log_determinant < b.scatter.log_determinant;
  });
  if (static_cast<std::int64_t>(candidates.size()) > count)
    candidates.erase(candidates.begin() + count, candidates.end());
}

std::vector<Candidate> from_random_starts(MatrixView<const double> rows, std::int64_t h, std::int64_t starts,
                                          std::uint64_t seed, const Execution& execution) {
  std::vector<Candidate> candidates(at(starts));
  parallel_for(execution, starts, 1, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t s = begin; s < end; ++s) {
      SplitMix64 random(seed, static_cast<std::uint64_t>(s));
      const Rows first = draw_rows(rows.rows, std::min(rows.rows, rows.cols + 1), random);
      Candidate& candidate = candidates[at(s)];
      candidate.scatter = scatter_of(rows, first, Mcd::kRidge, 1);
      concentrate(candidate, rows, h, kFirstSteps);
    }
  });
  keep_best(candidates, kBest);
  return candidates;
}

/// Takes estimates to other rows: each goes on there.
void carry_on(std::vector<Candidate>& candidates, MatrixView<const double> rows, std::int64_t h, int steps,
              const Execution& execution) {
  parallel_for(execution, static_cast<std::int64_t>(candidates.size()), 1,
               [&](std::int64_t begin, std::int64_t end, int) {
                 for (std::int64_t c = begin; c < end; ++c) {
                   candidates[at(c)].rows.clear();
                   concentrate(candidates[at(c)], rows, h, steps);
                 }
               });
  keep_best(candidates, kBest);
}

std::int64_t share_of(std::int64_t h, std::int64_t rows, std::int64_t all) {
  return std::clamp<std::int64_t>((h * rows + all - 1) / all, 1, rows);
}

Candidate least_determinant(MatrixView<const double> rows, std::int64_t h, std::uint64_t seed,
                            const Execution& execution) {
  const std::int64_t n = rows.rows;
  const std::int64_t groups = n <= kGrouped ? 1 : std::min(kMostGroups, n / kGroup);
  std::vector<Candidate> candidates;
  if (groups == 1) {
    candidates = from_random_starts(rows, h, kStarts, seed, execution);
  } else {
    SplitMix64 random(seed, static_cast<std::uint64_t>(kStarts));
    const std::int64_t merged = std::min(n, std::max(kGroup * kMostGroups, groups * 2 * (rows.cols + 1)));
    Rows drawn = draw_rows(n, merged, random);
    for (std::int64_t i = merged - 1; i > 0; --i) std::swap(drawn[at(i)], drawn[at(random.below(i + 1))]);
    std::vector<double> sample;
    sample.reserve(at(merged * rows.cols));
    for (const std::int64_t r : drawn)
      sample.insert(sample.end(), rows.data + r * rows.stride, rows.data + r * rows.stride + rows.cols);
    for (std::int64_t g = 0; g < groups; ++g) {
      const std::int64_t begin = merged * g / groups;
      const std::int64_t size = merged * (g + 1) / groups - begin;
      auto best = from_random_starts({sample.data() + begin * rows.cols, size, rows.cols}, share_of(h, size, n),
                                     kStarts / groups, seed + 1 + static_cast<std::uint64_t>(g), execution);
      std::move(best.begin(), best.end(), std::back_inserter(candidates));
    }
    carry_on(candidates, {sample.data(), merged, rows.cols}, share_of(h, merged, n), kFirstSteps, execution);
  }
  carry_on(candidates, rows, h, kMostSteps, execution);
  return std::move(candidates.front());
}

}  // namespace

std::int64_t Mcd::support_size(std::int64_t rows, std::int64_t features) {
  return std::clamp<std::int64_t>((rows + features + 2) / 2, 1, std::max<std::int64_t>(rows, 1));
}

std::int64_t Mcd::varying(const FeatureMatrix& rows) {
  const Scales scales = scales_of(rows);
  return std::count_if(scales.scale.begin(), scales.scale.end(), [](double s) { return s > 0; });
}

McdFit Mcd::fit(const FeatureMatrix& matrix, std::int64_t h, const McdCorrections& corrections, std::uint64_t seed,
                const Execution& execution) {
  const std::int64_t n = matrix.rows();
  const std::int64_t f = matrix.cols();
  Scales scales = scales_of(matrix);
  require(h >= 1 && h <= n,
          [&] { return "support: expected 1 to " + std::to_string(n) + " rows, got " + std::to_string(h); });
  std::vector<std::int64_t> kept;
  for (std::int64_t j = 0; j < f; ++j)
    if (scales.scale[at(j)] > 0) kept.push_back(j);
  const auto p = static_cast<std::int64_t>(kept.size());
  McdFit result;
  result.support.assign(at(n), 1);
  result.arrays = {scales.center, scales.scale, std::vector<double>(at(f), 0), std::vector<double>(at(f * f), 0)};
  if (p == 0) return result;

  std::vector<double> values(at(n * p));
  std::vector<double> row(at(f));
  for (std::int64_t r = 0; r < n; ++r) {
    matrix.read_rows(r, r + 1, row.data());
    for (std::int64_t k = 0; k < p; ++k) {
      const std::size_t j = at(kept[at(k)]);
      values[at(r * p + k)] = standardised(row[j], scales.center[j], scales.scale[j]);
    }
  }
  const MatrixView<const double> rows(values.data(), n, p);
  const Candidate best = least_determinant(rows, h, seed, execution);
  std::vector<double> distance(at(n));
  distances(best.scatter, rows, distance);
  Rows weighted;
  for (std::int64_t r = 0; r < n; ++r)
    if (distance[at(r)] < corrections.cutoff * corrections.raw) weighted.push_back(r);
  if (weighted.empty()) weighted = best.rows;
  const Scatter scatter = scatter_of(rows, weighted, kRidge, corrections.reweighted);
  std::fill(result.support.begin(), result.support.end(), std::int8_t{0});
  for (const std::int64_t r : weighted) result.support[at(r)] = 1;
  const std::vector<double> precision = precision_of(scatter);
  for (std::int64_t k = 0; k < p; ++k) {
    result.arrays.location[at(kept[at(k)])] = scatter.location[at(k)];
    for (std::int64_t l = 0; l < p; ++l)
      result.arrays.precision[at(kept[at(k)] * f + kept[at(l)])] = precision[at(k * p + l)];
  }
  return result;
}

Mcd::Mcd(McdArrays arrays) : arrays_(std::move(arrays)) {
  const auto check = [](bool holds, const char* expected) {
    if (!holds) throw Error(ErrorCode::corrupt, std::string("mcd: expected ") + expected);
  };
  const std::size_t f = arrays_.center.size();
  check(f > 0 && arrays_.scale.size() == f && arrays_.location.size() == f && arrays_.precision.size() == f * f,
        "arrays of one number of features");
  for (const auto* array : {&arrays_.center, &arrays_.scale, &arrays_.location, &arrays_.precision})
    check(std::all_of(array->begin(), array->end(), [](double v) { return std::isfinite(v); }), "finite values");
  check(std::none_of(arrays_.scale.begin(), arrays_.scale.end(), [](double v) { return v < 0; }),
        "scales of at least 0");
}

template <typename Take>
void Mcd::each_row(const FeatureMatrix& rows, const Execution& execution, const Take& take) const {
  const auto f = static_cast<std::int64_t>(arrays_.center.size());
  rows.require_features(f);
  const auto dot = kernels::float64().dot;
  PerWorker<std::vector<double>> scratch(execution);
  parallel_for(execution, rows.rows(), kRowBlock, [&](std::int64_t begin, std::int64_t end, int worker) {
    std::vector<double>& mine = scratch.get(worker, [&] { return std::vector<double>(at(2 * f)); });
    double* z = mine.data();
    double* product = z + f;
    for (std::int64_t r = begin; r < end; ++r) {
      rows.read_rows(r, r + 1, z);
      for (std::int64_t j = 0; j < f; ++j) {
        const std::size_t k = at(j);
        z[j] = std::isnan(z[j]) ? 0 : standardised(z[j], arrays_.center[k], arrays_.scale[k]) - arrays_.location[k];
      }
      for (std::int64_t j = 0; j < f; ++j) product[j] = z[j] * dot(arrays_.precision.data() + j * f, z, f);
      take(r, product);
    }
  });
}

void Mcd::score(const FeatureMatrix& rows, std::span<double> scores, const Execution& execution) const {
  const std::size_t f = arrays_.center.size();
  each_row(rows, execution, [&](std::int64_t r, const double* reasons) {
    scores[at(r)] = std::max(std::accumulate(reasons, reasons + f, 0.0), 0.0);
  });
}

void Mcd::explain(const FeatureMatrix& rows, MatrixView<double> reasons, const Execution& execution) const {
  each_row(rows, execution,
           [&](std::int64_t r, const double* row) { std::copy_n(row, arrays_.center.size(), reasons.row(r).data()); });
}

}  // namespace recocore
