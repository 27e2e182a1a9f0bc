#include "recocore/anomaly/ecod.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "base/per_worker.hpp"
#include "ops/anomaly/sorted_column.hpp"
#include "ops/anomaly/value_order.hpp"
#include "recocore/error.hpp"

namespace recocore {
namespace {

struct Moments {
  double count = 0;
  double mean = 0;
  double squares = 0;  // sum of squared deviations
  double cubes = 0;    // sum of cubed deviations
};

// Only the sign of a third moment is looked at: beyond this it is the same, and a cube would overflow.
constexpr double kMost = 1e90;

double number(double value) {
  return std::clamp(value, -kMost, kMost);
}
double number(const Placed& placed) {
  return number(placed.value);
}

template <typename Values>
Moments moments_of(const Values& values) {
  Moments m;
  m.count = static_cast<double>(values.size());
  if (values.empty()) return m;
  for (const auto& v : values) m.mean += number(v);
  m.mean /= m.count;
  for (const auto& v : values) {
    const double d = number(v) - m.mean;
    m.squares += d * d;
    m.cubes += d * d * d;
  }
  return m;
}

/// The third central moment of two sets together, times their count (Pebay, SAND2008-6212, equation 2.8).
double cubes_together(const Moments& a, const Moments& b) {
  const double n = a.count + b.count;
  if (n == 0) return 0;
  const double d = b.mean - a.mean;
  return a.cubes + b.cubes + d * d * d * (a.count / n) * (b.count / n) * (a.count - b.count) +
         3 * d * ((a.count / n) * b.squares - (b.count / n) * a.squares);
}

std::size_t at(std::int64_t index) {
  return static_cast<std::size_t>(index);
}

/// -log of the parts of the fitted values that are not above, and not below, a value.
struct Tails {
  double left;
  double right;
};

/// The paper's three sums over the features of a row; the largest is its score.
struct Sums {
  double left = 0;
  double right = 0;
  double by_skewness = 0;

  Sums(const Tails* tails, std::span<const std::uint8_t> left_is_longer) {
    for (std::size_t j = 0; j < left_is_longer.size(); ++j) {
      left += tails[j].left;
      right += tails[j].right;
      by_skewness += left_is_longer[j] != 0 ? tails[j].left : tails[j].right;
    }
  }

  [[nodiscard]] double most() const { return std::max({left, right, by_skewness}); }
};

}  // namespace

EcodArrays Ecod::fit(const FeatureMatrix& rows, const Execution& execution) {
  const std::int64_t n = rows.rows();
  const std::int64_t f = rows.cols();
  require(n > 0 && f > 0, [&] {
    return "X: expected at least one row and one feature, got " + std::to_string(n) + " x " + std::to_string(f);
  });
  std::vector<double> columns(at(n) * at(f));
  parallel_for(execution, n, kRowBlock, [&](std::int64_t begin, std::int64_t end, int) {
    rows.read_columns(begin, end, columns.data() + begin, n);
  });
  EcodArrays arrays;
  arrays.moments.resize(at(3 * f));
  std::vector<std::int64_t> present(at(f));
  parallel_for(execution, f, 1, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t j = begin; j < end; ++j) {
      double* first = columns.data() + j * n;
      double* last = std::remove_if(first, first + n, [](double v) { return std::isnan(v); });
      const Moments m = moments_of(std::span<const double>(first, last));
      std::vector<Placed> placed;
      placed.reserve(at(last - first));
      for (const double* v = first; v != last; ++v) placed.push_back({*v, 0});
      sort_placed(placed);
      std::transform(placed.begin(), placed.end(), first, [](const Placed& p) { return p.value; });
      present[at(j)] = last - first;
      arrays.moments[at(3 * j)] = m.mean;
      arrays.moments[at(3 * j + 1)] = m.squares;
      arrays.moments[at(3 * j + 2)] = m.cubes;
      checkpoint();
    }
  });
  arrays.offsets.assign(1, 0);
  for (const std::int64_t count : present) arrays.offsets.push_back(arrays.offsets.back() + count);
  if (arrays.offsets.back() < n * f)
    for (std::int64_t j = 0; j < f; ++j)
      std::copy_n(columns.data() + j * n, present[at(j)], columns.data() + arrays.offsets[at(j)]);
  columns.resize(at(arrays.offsets.back()));
  arrays.sorted = std::move(columns);
  return arrays;
}

Ecod::Ecod(EcodVariant variant, EcodArrays arrays) : variant_(variant), arrays_(std::move(arrays)) {
  const auto check = [](bool holds, const char* expected) {
    if (!holds) throw Error(ErrorCode::corrupt, std::string("ecod: expected ") + expected);
  };
  const auto& offsets = arrays_.offsets;
  check(offsets.size() > 1 && offsets.front() == 0 && std::is_sorted(offsets.begin(), offsets.end()) &&
            offsets.back() == static_cast<std::int64_t>(arrays_.sorted.size()),
        "offsets that rise from 0 to the number of sorted values");
  check(arrays_.moments.size() == 3 * (offsets.size() - 1), "three moments for each feature");
  std::int64_t longest = 0;
  for (std::int64_t j = 0; j < features(); ++j) {
    const auto values = column(j);
    check(std::is_sorted(values.begin(), values.end()) &&
              std::none_of(values.begin(), values.end(), [](double v) { return !std::isfinite(v); }),
          "finite values in ascending order");
    longest = std::max(longest, static_cast<std::int64_t>(values.size()));
  }
  for (std::int64_t j = 0; j < features(); ++j) {
    const double cubes = arrays_.moments[at(3 * j + 2)];
    check(std::isfinite(cubes), "finite moments");
    left_is_longer_.push_back(cubes < 0 ? 1 : 0);
  }
  logs_.resize(at(longest + 2));
  for (std::size_t i = 0; i < logs_.size(); ++i) logs_[i] = std::log(static_cast<double>(i));
}

std::int64_t Ecod::features() const noexcept {
  return static_cast<std::int64_t>(arrays_.offsets.size()) - 1;
}

std::span<const double> Ecod::column(std::int64_t feature) const {
  const std::int64_t begin = arrays_.offsets[at(feature)];
  return {arrays_.sorted.data() + begin, at(arrays_.offsets[at(feature + 1)] - begin)};
}

double Ecod::log_of(std::int64_t count) const {
  return at(count) < logs_.size() ? logs_[at(count)] : std::log(static_cast<double>(count));
}

template <typename Take>
void Ecod::each_row(const FeatureMatrix& rows, const Execution& execution, const Take& take) const {
  const std::int64_t f = features();
  struct Scratch {
    std::vector<double> values;
    std::vector<Tails> tails;
  };
  PerWorker<Scratch> scratch(execution);
  parallel_for(execution, rows.rows(), kRowBlock, [&](std::int64_t begin, std::int64_t end, int worker) {
    const std::int64_t block = end - begin;
    Scratch& mine = scratch.get(worker, [] { return Scratch{}; });
    mine.values.resize(at(block * f));
    mine.tails.resize(at(block * f));
    rows.read_columns(begin, end, mine.values.data(), block);
    for (std::int64_t j = 0; j < f; ++j) {
      const auto sorted = column(j);
      const auto n = static_cast<std::int64_t>(sorted.size());
      const double* values = mine.values.data() + j * block;
      Rank found[kSearches];
      for (std::int64_t start = 0; start < block; start += kSearches) {
        const int count = static_cast<int>(std::min<std::int64_t>(kSearches, block - start));
        ranks(sorted, values + start, count, found);
        for (int q = 0; q < count; ++q) {
          Tails& tails = mine.tails[at((start + q) * f + j)];
          const auto tail = [&](std::int64_t size) { return size > 0 ? log_of(n) - log_of(size) : log_of(n + 1); };
          tails = std::isnan(values[start + q]) || n == 0 ? Tails{0, 0}
                                                          : Tails{tail(found[q].not_above), tail(n - found[q].below)};
        }
      }
    }
    for (std::int64_t r = begin; r < end; ++r) take(r, mine.tails.data() + (r - begin) * f);
  });
}

void Ecod::score(const FeatureMatrix& rows, std::span<double> scores, const Execution& execution) const {
  rows.require_features(features());
  if (variant_ == EcodVariant::pyod) return mixed(rows, scores, {}, execution);
  each_row(rows, execution,
           [&](std::int64_t r, const Tails* tails) { scores[at(r)] = Sums(tails, left_is_longer_).most(); });
}

void Ecod::explain(const FeatureMatrix& rows, MatrixView<double> reasons, const Execution& execution) const {
  rows.require_features(features());
  if (variant_ == EcodVariant::pyod) return mixed(rows, {}, reasons, execution);
  each_row(rows, execution, [&](std::int64_t r, const Tails* tails) {
    const Sums sums(tails, left_is_longer_);
    const bool by_skewness = sums.by_skewness == sums.most();
    const bool all_left = !by_skewness && sums.left == sums.most();
    const auto row = reasons.row(r);
    for (std::size_t j = 0; j < row.size(); ++j)
      row[j] = all_left || (by_skewness && left_is_longer_[j] != 0) ? tails[j].left : tails[j].right;
  });
}

void Ecod::mixed(const FeatureMatrix& rows, std::span<double> scores, MatrixView<double> reasons,
                 const Execution& execution) const {
  const std::int64_t m = rows.rows();
  const std::int64_t f = features();
  require(m <= std::numeric_limits<std::int32_t>::max(),
          [&] { return "X: expected at most 2**31 - 1 rows in one call, got " + std::to_string(m); });
  std::vector<double> columns(at(m * f));
  parallel_for(execution, m, kRowBlock, [&](std::int64_t begin, std::int64_t end, int) {
    rows.read_columns(begin, end, columns.data() + begin, m);
  });
  // A row alone needs no more logarithms than are kept.
  std::vector<double> more_logs;
  if (m > 1) {
    more_logs.resize(logs_.size() + at(m));
    for (std::size_t i = 0; i < more_logs.size(); ++i)
      more_logs[i] = i < logs_.size() ? logs_[i] : std::log(static_cast<double>(i));
  }
  const std::vector<double>& logs = m > 1 ? more_logs : logs_;
  parallel_for(execution, f, 1, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t j = begin; j < end; ++j) {
      double* values = columns.data() + j * m;
      std::vector<Placed> batch;
      batch.reserve(at(m));
      for (std::int64_t r = 0; r < m; ++r)
        if (!std::isnan(values[r])) batch.push_back({values[r], static_cast<std::int32_t>(r)});
      const auto fitted = column(j);
      const double* moments = arrays_.moments.data() + 3 * j;
      const bool symmetric = cubes_together({static_cast<double>(fitted.size()), moments[0], moments[1], moments[2]},
                                            moments_of(batch)) == 0;
      sort_placed(batch);
      std::fill_n(values, m, 0.0);
      const auto n = fitted.size() + batch.size();
      // Few rows jump through the fitted values, many walk.
      const bool jump = batch.size() < fitted.size() / 16;
      auto below = fitted.begin();
      auto above = fitted.begin();
      for (auto first = batch.begin(); first != batch.end();) {
        const double value = first->value;
        auto last = first + 1;
        while (last != batch.end() && last->value == value) ++last;
        if (jump) {
          below = std::lower_bound(above, fitted.end(), value);
          above = std::upper_bound(below, fitted.end(), value);
        } else {
          for (below = above; below != fitted.end() && *below < value; ++below) {
          }
          for (above = below; above != fitted.end() && *above == value; ++above) {
          }
        }
        const auto not_above = static_cast<std::size_t>((above - fitted.begin()) + (last - batch.begin()));
        const auto under = static_cast<std::size_t>((below - fitted.begin()) + (first - batch.begin()));
        const double left = logs[n] - logs[not_above];
        const double right = logs[n] - logs[n - under];
        for (; first != last; ++first) values[first->row] = symmetric ? left + right : std::max(left, right);
      }
      checkpoint();
    }
  });
  parallel_for(execution, m, kRowBlock, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t j = 0; j < f; ++j) {
      for (std::int64_t r = begin; r < end; ++r) {
        const double reason = columns[at(j * m + r)];
        if (reasons.data != nullptr)
          reasons.data[r * reasons.stride + j] = reason;
        else
          scores[at(r)] = j == 0 ? reason : scores[at(r)] + reason;
      }
    }
  });
}

}  // namespace recocore
