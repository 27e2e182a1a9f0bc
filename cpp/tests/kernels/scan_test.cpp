#include "kernels/scan/kernel.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

using namespace recocore::kernels;

namespace {

std::size_t at(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

std::vector<float> normal(std::int64_t size, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> value;
  std::vector<float> values(at(size));
  for (float& v : values) v = value(generator);
  return values;
}

/// Codes of a block of items and of a panel of queries, at the ends of their ranges too.
struct Codes {
  Codes(std::int64_t count, std::int64_t stride, std::int32_t levels, unsigned seed)
      : items(at(count * stride)), queries(at(kQueryLanes * stride)), sums(at(count)) {
    std::mt19937 generator(seed);
    std::uniform_int_distribution<int> item(-127, 127);
    std::uniform_int_distribution<int> query(-levels, levels);
    for (auto& code : items) code = static_cast<std::int8_t>(item(generator));
    for (auto& code : queries) code = query(generator);
    // The first item and the first two queries push every partial sum as far as it goes.
    for (std::int64_t d = 0; d < stride; ++d) {
      items[at(d)] = 127;
      queries[at(d)] = levels;
      queries[at(stride + d)] = -levels;
    }
    for (std::int64_t r = 0; r < count; ++r)
      for (std::int64_t d = 0; d < stride; ++d) sums[at(r)] += items[at(r * stride + d)];
  }

  /// The queries as scans take them: [d / 4, lane, d % 4].
  [[nodiscard]] std::vector<std::uint8_t> panel(std::int64_t stride, std::int32_t offset) const {
    std::vector<std::uint8_t> packed(queries.size());
    for (std::int64_t lane = 0; lane < kQueryLanes; ++lane)
      for (std::int64_t d = 0; d < stride; ++d)
        packed[at((d / 4 * kQueryLanes + lane) * 4 + d % 4)] =
            static_cast<std::uint8_t>(queries[at(lane * stride + d)] + offset);
    return packed;
  }

  std::vector<std::int8_t> items;
  std::vector<std::int32_t> queries;  // [lane, d]
  std::vector<std::int32_t> sums;
};

}  // namespace

TEST_CASE("scan_f32 writes down the pairs that do not lie below their bars, at every tile edge") {
  const auto& kernel = scan();
  for (const std::int64_t f : {0, 1, 2, 7, 16, 33, 128}) {
    for (const std::int64_t count : {1, 2, 5, 6, 7, 11, 12, 13, 25}) {
      const auto items = normal(count * (f + 3), 1);  // rows lie three values apart
      const auto panel = normal(f * kQueryLanes, 2);
      const auto biases = normal(count, 3);
      std::vector<std::int32_t> reversed(at(count));
      for (std::int64_t r = 0; r < count; ++r) reversed[at(r)] = static_cast<std::int32_t>(count - 1 - r);
      for (const bool listed : {false, true}) {
        for (const bool biased : {false, true}) {
          std::vector<float> bars(at(kQueryLanes), std::numeric_limits<float>::infinity());
          for (std::int64_t lane = 0; lane < kQueryLanes - 1; ++lane) bars[at(lane)] = static_cast<float>(lane - 7);
          bars[2] = -std::numeric_limits<float>::infinity();
          bars[3] = 0;  // met exactly where f is 0
          std::vector<Hit> hits(at(count * kQueryLanes));
          hits.resize(
              at(kernel.scan_f32(items.data(), f + 3, listed ? reversed.data() : nullptr,
                                 biased ? biases.data() : nullptr, count, f, panel.data(), bars.data(), hits.data())));
          std::size_t next = 0;
          for (std::int64_t r = 0; r < count; ++r) {
            for (std::int64_t lane = 0; lane < kQueryLanes; ++lane) {
              double sum = biased ? biases[at(r)] : 0;
              double size = std::fabs(sum);
              for (std::int64_t d = 0; d < f; ++d) {
                const double term = static_cast<double>(items[at((listed ? count - 1 - r : r) * (f + 3) + d)]) *
                                    panel[at(d * kQueryLanes + lane)];
                sum += term;
                size += std::fabs(term);
              }
              const double rounding = size * static_cast<double>(f + 2) * 0x1p-23;
              const bool there = next < hits.size() && hits[next].row == r && hits[next].lane == lane;
              if (there) ++next;
              if (std::fabs(sum - bars[at(lane)]) > rounding) CHECK(there == (sum >= bars[at(lane)]));
            }
          }
          CHECK(next == hits.size());
        }
      }
    }
  }
}

TEST_CASE("a sum that is not a number passes") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> panel(at(kQueryLanes), 1.0F);
  panel[3] = nan;
  const std::vector<float> bars(at(kQueryLanes), 5.0F);
  const float item = 1;
  std::vector<Hit> hits(at(kQueryLanes));
  REQUIRE(scan().scan_f32(&item, 1, nullptr, nullptr, 1, 1, panel.data(), bars.data(), hits.data()) == 1);
  CHECK(hits[0].lane == 3);
}

namespace {

void check_scans_of_codes(bool one_scale) {
  const auto& kernel = scan();
  for (const std::int64_t stride : {64, 128, 192, 1024}) {
    for (const std::int64_t count : {1, 3, 4, 5, 12, 13, 31, 32, 64, 130, 300}) {
      const Codes codes(count, stride, kernel.query_levels, 7);
      const auto panel = codes.panel(stride, kernel.query_offset);
      std::vector<std::int32_t> reversed(at(count));
      for (std::int64_t r = 0; r < count; ++r) reversed[at(r)] = static_cast<std::int32_t>(count - 1 - r);
      // Small whole numbers and powers of two: bars are exact, so every comparison is.
      std::vector<float> scales(at(count));
      std::vector<float> errors(at(count));
      std::vector<float> norms(at(count));
      std::vector<float> biases(at(count));
      for (std::int64_t r = 0; r < count; ++r) {
        scales[at(r)] = one_scale || r % 2 == 0 ? 2 : 0.5F;
        errors[at(r)] = static_cast<float>(r % 5);
        norms[at(r)] = static_cast<float>(r % 3);
        biases[at(r)] = static_cast<float>(r % 7 - 3);
      }
      CodeBars bars;
      for (std::int64_t lane = 0; lane < kQueryLanes; ++lane) {
        // Each lane's bar is what one item reaches exactly, or, in every other lane, misses by one.
        const std::int64_t item = lane % count;
        std::int64_t sum = lane % 2;
        for (std::int64_t d = 0; d < stride; ++d)
          sum += codes.items[at(item * stride + d)] * codes.queries[at(lane * stride + d)];
        bars.by_error[lane] = static_cast<float>(lane);
        bars.by_norm[lane] = static_cast<float>(lane % 4);
        bars.by_bias[lane] = static_cast<float>(lane % 3);
        bars.bars[lane] = static_cast<float>(sum) / scales[at(item)] + bars.by_error[lane] * errors[at(item)] +
                          bars.by_norm[lane] * norms[at(item)];
      }
      for (const bool listed : {false, true}) {
        for (const bool biased : {false, true}) {
          std::vector<std::int32_t> sums(codes.sums);
          if (listed) std::reverse(sums.begin(), sums.end());
          const CodeRows rows{
              codes.items.data(), stride,       listed ? reversed.data() : nullptr, sums.data(), scales.data(),
              errors.data(),      norms.data(), biased ? biases.data() : nullptr};
          const auto expected = [&](std::int64_t lanes) {
            std::vector<Hit> hits;
            for (std::int64_t r = 0; r < count; ++r) {
              const std::int64_t item = listed ? count - 1 - r : r;
              for (std::int64_t lane = 0; lane < lanes; ++lane) {
                std::int64_t sum = 0;
                for (std::int64_t d = 0; d < stride; ++d)
                  sum += codes.items[at(item * stride + d)] * codes.queries[at(lane * stride + d)];
                const double bar = static_cast<double>(bars.bars[lane]) - bars.by_error[lane] * errors[at(r)] -
                                   bars.by_norm[lane] * norms[at(r)] -
                                   (biased ? bars.by_bias[lane] * biases[at(r)] : 0);
                if (static_cast<double>(sum) >= bar * scales[at(r)])
                  hits.push_back({static_cast<std::int32_t>(r), static_cast<std::int32_t>(lane)});
              }
            }
            return hits;
          };
          const auto same = [](const std::vector<Hit>& a, const std::vector<Hit>& b) {
            return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                              [](const Hit& x, const Hit& y) { return x.row == y.row && x.lane == y.lane; });
          };
          const auto all = expected(kQueryLanes);
          // One panel alone, and several of which one has bars that nothing reaches.
          CodeBars never = bars;
          std::fill_n(never.bars, kQueryLanes, 1e30F);
          for (const std::int64_t n : {1, 2, 3}) {
            std::vector<std::vector<Hit>> found(at(n), std::vector<Hit>(at(count * kQueryLanes)));
            std::vector<PanelScan> panels;
            for (std::int64_t p = 0; p < n; ++p)
              panels.push_back({panel.data(), p == 1 ? &never : &bars, found[at(p)].data()});
            kernel.scan_codes(rows, count, panels.data(), n);
            for (std::int64_t p = 0; p < n; ++p) {
              found[at(p)].resize(at(panels[at(p)].found));
              CHECK(same(found[at(p)], p == 1 ? std::vector<Hit>{} : all));
            }
          }
          std::vector<std::uint8_t> query(at(stride));
          for (std::int64_t d = 0; d < stride; ++d)
            query[at(d)] = static_cast<std::uint8_t>(codes.queries[at(d)] + kernel.query_offset);
          std::vector<Hit> hits(at(count));
          hits.resize(at(kernel.scan_codes_one(rows, count, query.data(), bars, hits.data())));
          CHECK(same(hits, expected(1)));
        }
      }
    }
  }
}

}  // namespace

TEST_CASE("scans of codes sum exactly and compare with each item's own bars") {
  check_scans_of_codes(false);
}

TEST_CASE("so do scans of codes that have one scale") {
  check_scans_of_codes(true);
}

TEST_CASE("the best of groups are told from below, and hardly lower") {
  const auto& kernel = scan();
  const std::int64_t stride = 64;
  for (const std::int64_t count : {1, 5, 13, 64, 150}) {
    const Codes codes(count, stride, kernel.query_levels, 11);
    const auto panel = codes.panel(stride, kernel.query_offset);
    std::vector<std::int32_t> reversed(at(count));
    std::vector<float> scales(at(count));
    std::vector<float> errors(at(count));
    std::vector<float> norms(at(count));
    std::vector<float> biases(at(count));
    const auto length = [&](const auto& values, std::int64_t row) {
      double sum = 0;
      for (std::int64_t d = 0; d < stride; ++d) {
        const double value = values[at(row * stride + d)];
        sum += value * value;
      }
      return std::sqrt(sum);
    };
    double longest = 0;
    for (std::int64_t r = 0; r < count; ++r) longest = std::max(longest, length(codes.items, r));
    for (std::int64_t r = 0; r < count; ++r) {
      reversed[at(r)] = static_cast<std::int32_t>(count - 1 - r);
      scales[at(r)] = 0.3F + 0.1F * static_cast<float>(r % 7);
      errors[at(r)] = 0.37F * static_cast<float>(r % 5);
      norms[at(r)] = static_cast<float>(longest) / scales[at(r)];
      biases[at(r)] = 0.7F * static_cast<float>(r % 7 - 3);
    }
    CodeBars bars{};
    for (std::int64_t lane = 0; lane < kQueryLanes; ++lane) {
      bars.by_error[lane] = static_cast<float>(length(codes.queries, lane));
      bars.by_norm[lane] = 0.3F * static_cast<float>(lane % 4);
      bars.by_bias[lane] = 1.7F * static_cast<float>(lane % 3);
    }
    // What cannot be told is left out: a sum that overflows, and one that has no number.
    bars.by_bias[15] = 3e38F;
    for (const bool listed : {false, true}) {
      for (const bool biased : {false, true}) {
        for (const std::int64_t group : {1, 3, 8, 500}) {
          std::vector<std::int32_t> sums(codes.sums);
          if (listed) std::reverse(sums.begin(), sums.end());
          const auto rows_from = [&](std::int64_t first) {
            return CodeRows{codes.items.data() + (listed ? 0 : first * stride),
                            stride,
                            listed ? reversed.data() + first : nullptr,
                            sums.data() + first,
                            scales.data() + first,
                            errors.data() + first,
                            norms.data() + first,
                            biased ? biases.data() + first : nullptr};
          };
          const std::int64_t groups = (count + group - 1) / group;
          std::vector<float> best(at(groups * kQueryLanes));
          kernel.best_codes(rows_from(0), count, panel.data(), bars, group, best.data());
          for (std::int64_t lane = 0; lane < kQueryLanes; ++lane) {
            std::vector<double> expected(at(groups), -std::numeric_limits<double>::infinity());
            for (std::int64_t r = 0; r < count; ++r) {
              const std::int64_t item = listed ? count - 1 - r : r;
              double sum = 0;
              for (std::int64_t d = 0; d < stride; ++d)
                sum += codes.items[at(item * stride + d)] * codes.queries[at(lane * stride + d)];
              const double bias = biased ? static_cast<double>(bars.by_bias[lane]) * biases[at(r)] : 0;
              const double least = sum / scales[at(r)] - static_cast<double>(bars.by_error[lane]) * errors[at(r)] -
                                   static_cast<double>(bars.by_norm[lane]) * norms[at(r)] + bias;
              if (bias < 1e20) expected[at(r / group)] = std::max(expected[at(r / group)], least);
            }
            for (std::int64_t j = 0; j < groups; ++j) {
              const double told = best[at(j * kQueryLanes + lane)];
              CHECK(told <= expected[at(j)]);
              // 127 squared times 64 is how much a product may be, 0.3 the least scale.
              if (expected[at(j)] > -1e20) CHECK(told >= expected[at(j)] - 4e6 * 0x1p-19);
            }
          }
        }
      }
    }
  }
}
