// Packs items into the codes of recocore/topk.hpp and checks packed ones.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "base/finite.hpp"
#include "kernels/scan/kernel.hpp"
#include "ops/topk/query_bounds.hpp"
#include "recocore/error.hpp"
#include "recocore/memory.hpp"
#include "recocore/topk.hpp"

namespace recocore {
namespace {

constexpr float kLevels = 127;
// So many rows that follow each other have one scale, which makes a scan of them faster, where each row's own is this
// share of it at least: its codes leave out up to twice as much. Of 100,000 gaussian items 20 pass instead of 18.
constexpr std::int64_t kOneScale = 32;
constexpr float kLeastShare = 0.5F;
// Rows of a chunk of work: 256 x 128 floats are 128 KiB.
constexpr std::int64_t kGrain = 256;
std::size_t at(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

/// Codes of a row: at least one tile, so that there is something to scan where items have no values.
std::int64_t padded(std::int64_t f) noexcept {
  return std::max<std::int64_t>((f + kernels::kCodeLane - 1) / kernels::kCodeLane, 1) * kernels::kCodeLane;
}

/// The float at or above a bound, with room for what is done to it later.
float rounded_up(double bound) noexcept {
  // The last term is for what a denormal float cannot hold.
  return bound > 0 ? static_cast<float>(bound * (1 + kMargin) + 0x1p-148) : 0;
}

void check_row(std::span<const float> row, std::int64_t item) {
  if (all_finite(row)) return;
  const auto bad = std::find_if(row.begin(), row.end(), [](float v) { return !std::isfinite(v); });
  throw Error(ErrorCode::invalid_argument,
              "items: expected finite values, got " + std::to_string(*bad) + " in row " + std::to_string(item));
}

struct Encoded {
  float inverse_scale;
  float error;
  float norm;
  std::int32_t sum;
};

/// Codes a row on the scale of what is at least its largest value.
Encoded encode(std::span<const float> row, float largest, std::int8_t* codes) noexcept {
  const bool coded = largest >= kLeastCoded;
  const float scale = coded ? largest / kLevels : 1;
  const float inverse = coded ? kLevels / largest : 0;
  std::int32_t sum = 0;
  std::int32_t squared_codes = 0;
  double squared_error = 0;
  for (std::size_t d = 0; d < row.size(); ++d) {
    const float code = (row[d] * inverse + kRound) - kRound;
    codes[d] = static_cast<std::int8_t>(code);
    const auto whole = static_cast<std::int32_t>(code);
    sum += whole;
    squared_codes += whole * whole;
    const double left = static_cast<double>(row[d]) - static_cast<double>(code) * scale;
    squared_error += left * left;
  }
  const double norm = std::sqrt(static_cast<double>(squared_codes)) * scale;
  const double length = std::sqrt(squared_length(row));
  const auto f = std::ssize(row);
  // What is rounded on the way to a score goes with the item's length as its error does.
  return {1 / scale, rounded_up(std::sqrt(squared_error) + sum_rounding(f) * length), rounded_up(norm), sum};
}

}  // namespace

ItemCodes OwnedItemCodes::view() const noexcept {
  const auto m = std::ssize(order);
  return {order, positions, {codes.data(), m, stride}, code_sums, inverse_scales, errors, norms, lengths};
}

OwnedItemCodes pack_items(MatrixView<const float> items, const Execution& execution) {
  const std::int64_t m = items.rows;
  require(m <= INT32_MAX, [&] { return "items: expected fewer than 2**31 rows, got " + std::to_string(m); });
  // A sum of squared codes is at most 127^2 f, and has to fit 31 bits; a product of codes likewise.
  require(items.cols <= 65'536,
          [&] { return "items: expected at most 65,536 columns, got " + std::to_string(items.cols); });
  OwnedItemCodes packed;
  packed.stride = padded(items.cols);
  MemoryBudget("pack_items").take(m, packed.stride + 36, "search without packing, or pack fewer items");
  std::vector<float> lengths(at(m));
  parallel_for(execution, m, kGrain, [&](std::int64_t begin, std::int64_t end, int) {
    checkpoint();
    for (std::int64_t i = begin; i < end; ++i) {
      check_row(items.row(i), i);
      lengths[at(i)] = static_cast<float>(std::sqrt(squared_length(items.row(i))));
    }
  });
  for (std::int64_t i = 0; i < m; ++i)
    if (!(lengths[at(i)] < 1e37F))
      throw Error(ErrorCode::unsupported, "items: expected lengths below 1e37, got more in row " + std::to_string(i) +
                                              "; scale the items down, or search without packing");
  packed.order.resize(at(m));
  std::iota(packed.order.begin(), packed.order.end(), 0);
  std::sort(packed.order.begin(), packed.order.end(), [&](std::int32_t a, std::int32_t b) {
    return lengths[at(a)] > lengths[at(b)] || (lengths[at(a)] == lengths[at(b)] && a < b);
  });
  packed.positions.resize(at(m));
  packed.codes.resize(at(m * packed.stride));
  packed.code_sums.resize(at(m));
  packed.inverse_scales.resize(at(m));
  packed.errors.resize(at(m));
  packed.norms.resize(at(m));
  packed.lengths.resize(at(m));
  parallel_for(execution, m, kGrain, [&](std::int64_t begin, std::int64_t end, int) {
    checkpoint();
    std::array<float, kOneScale> largest{};
    float common = 0;
    for (std::int64_t p = begin; p < end; ++p) {
      const std::int64_t place = p % kOneScale;
      if (place == 0) {
        for (std::int64_t i = 0; i < std::min(kOneScale, end - p); ++i)
          largest[at(i)] = largest_of(items.row(packed.order[at(p + i)]));
        common = *std::max_element(largest.begin(), largest.begin() + std::min(kOneScale, end - p));
      }
      const std::int32_t item = packed.order[at(p)];
      packed.positions[at(item)] = static_cast<std::int32_t>(p);
      const float own = largest[at(place)];
      const float scaled_by = own == 0 || own >= kLeastShare * common ? common : own;
      const Encoded encoded = encode(items.row(item), scaled_by, packed.codes.data() + p * packed.stride);
      packed.inverse_scales[at(p)] = encoded.inverse_scale;
      packed.errors[at(p)] = encoded.error;
      packed.norms[at(p)] = encoded.norm;
      packed.lengths[at(p)] = lengths[at(item)];
      packed.code_sums[at(p)] = encoded.sum;
    }
  });
  return packed;
}

void validate(const ItemCodes& codes, MatrixView<const float> items) {
  const auto check = [](bool fits, const char* what) {
    if (!fits) throw Error(ErrorCode::corrupt, std::string("codes: expected ") + what + "; pack the items again");
  };
  const auto m = at(items.rows);
  check(codes.codes.rows == items.rows && codes.order.size() == m && codes.positions.size() == m &&
            codes.code_sums.size() == m && codes.inverse_scales.size() == m && codes.errors.size() == m &&
            codes.norms.size() == m && codes.lengths.size() == m,
        "arrays for as many items as there are");
  check(codes.codes.cols == padded(items.cols) && (m == 0 || codes.codes.stride == codes.codes.cols),
        "rows of as many codes as the items have columns, rounded up to 64");
  for (std::size_t p = 0; p < m; ++p) {
    const std::int32_t item = codes.order[p];
    check(item >= 0 && at(item) < m && codes.positions[at(item)] == static_cast<std::int32_t>(p),
          "order and positions to be permutations, each the other's inverse");
    const auto bound = [](float v) { return v >= 0 && v <= std::numeric_limits<float>::max(); };
    check(bound(codes.errors[p]) && bound(codes.norms[p]) && bound(codes.lengths[p]) &&
              bound(codes.inverse_scales[p]) && codes.inverse_scales[p] > 0,
          "scales, errors, norms and lengths that are finite and not negative");
    check(p == 0 || codes.lengths[p] <= codes.lengths[p - 1], "lengths that fall");
    check(codes.lengths[p] <= (static_cast<double>(codes.norms[p]) + codes.errors[p]) * (1 + kMargin),
          "lengths of what the codes hold and leave out");
  }
}

}  // namespace recocore
