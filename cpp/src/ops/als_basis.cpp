#include "ops/als_basis.hpp"

#include <algorithm>
#include <cstddef>
#include <span>

#include "base/per_worker.hpp"
#include "kernels/least_squares/kernel.hpp"
#include "ops/cholesky.hpp"
#include "ops/symmetric_eigen.hpp"

namespace recocore {
namespace {

// The partial sums of a Gram matrix take at most this many floats (64 MiB), are at most so many, and sum at least so
// many entries each: less would not pay for adding them up.
constexpr std::int64_t kPartialFloats = 16'777'216;
constexpr std::int64_t kMostChunks = 64;
constexpr std::int64_t kShortestChunk = 1024;
// Rows that are turned at a time.
constexpr std::int64_t kTurnedRows = 64;

std::size_t at(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

void turn_in_place(MatrixView<float> factors, const float* matrix, const Execution& execution) {
  struct Scratch {
    AlignedFloats rows;  ///< where they cannot be turned where they are
    AlignedFloats transposed;
  };
  const auto& k = kernels::least_squares();
  const std::int64_t f = factors.cols;
  const std::int64_t width = padded(f);
  const std::int64_t distance = row_distance(kTurnedRows);
  MatrixView<const float> lying(factors.data, factors.rows, f);
  lying.stride = factors.stride;
  const bool is_ready = lies_ready(lying);
  PerWorker<Scratch> scratch(execution);
  parallel_for(execution, factors.rows, kTurnedRows, [&](std::int64_t begin, std::int64_t end, int worker) {
    checkpoint();
    Scratch& mine = scratch.get(worker, [&] { return Scratch{{}, AlignedFloats(width * distance)}; });
    const std::int64_t count = end - begin;
    const bool is_copied = !is_ready || count % kernels::kLane != 0;
    if (is_copied) {
      mine.rows.resize(kTurnedRows * width);
      for (std::int64_t r = 0; r < count; ++r)
        std::copy_n(factors.row(begin + r).data(), f, mine.rows.data() + r * width);
    }
    float* rows = is_copied ? mine.rows.data() : factors.row(begin).data();
    k.gather_columns(rows, width, nullptr, 0, nullptr, nullptr, count, width, mine.transposed.data(), distance);
    std::fill_n(rows, padded(count) * width, 0.0F);
    k.add_product(mine.transposed.data(), distance, matrix, row_distance(f), f, padded(count), width, rows, width);
    if (is_copied)
      for (std::int64_t r = 0; r < count; ++r) std::copy_n(rows + r * width, f, factors.row(begin + r).data());
  });
}

}  // namespace

std::int64_t entries_at_a_time(std::int64_t factors) noexcept {
  return std::clamp<std::int64_t>(32'768 / padded(factors), 128, 256);
}

GramChunks::GramChunks(std::int64_t entries, std::int64_t factors) {
  const std::int64_t room = std::max<std::int64_t>(1, kPartialFloats / (padded(factors) * row_distance(factors)));
  const std::int64_t wanted = (entries + kShortestChunk - 1) / kShortestChunk;
  const std::int64_t most = std::clamp<std::int64_t>(wanted, 1, std::min(room, kMostChunks));
  length = std::max<std::int64_t>(1, (entries + most - 1) / most);
  count = std::max<std::int64_t>(1, (entries + length - 1) / length);
}

void add_gram(const float* source, std::int64_t stride, const std::int32_t* columns, const float* scales,
              std::int64_t entries, std::int64_t factors, float* sum, const Execution& execution) {
  const auto& k = kernels::least_squares();
  const std::int64_t width = padded(factors);
  const std::int64_t distance = row_distance(factors);
  const GramChunks chunks(entries, factors);
  const std::int64_t step = entries_at_a_time(factors);
  std::vector<AlignedFloats> partial(at(chunks.count));
  PerWorker<AlignedFloats> tiles(execution);
  parallel_for(execution, chunks.count, 1, [&](std::int64_t begin, std::int64_t end, int worker) {
    AlignedFloats& tile = tiles.get(worker, [&] { return AlignedFloats(step * distance); });
    for (std::int64_t c = begin; c < end; ++c) {
      partial[at(c)].resize(width * distance);
      const std::int64_t last = std::min((c + 1) * chunks.length, entries);
      for (std::int64_t first = c * chunks.length; first < last; first += step) {
        checkpoint();
        const std::int64_t count = std::min(step, last - first);
        k.gather_rows(source, stride, columns != nullptr ? columns + first : nullptr, first,
                      scales != nullptr ? scales + first : nullptr, count, width, tile.data(), distance);
        k.add_gram(tile.data(), distance, count, width, partial[at(c)].data(), distance);
      }
    }
  });
  parallel_for(execution, factors, 16, [&](std::int64_t begin, std::int64_t end, int) {
    std::vector<double> row(at(width));
    for (std::int64_t i = begin; i < end; ++i) {
      std::copy_n(sum + i * distance, width, row.begin());
      for (const AlignedFloats& part : partial)
        for (std::int64_t j = i; j < factors; ++j) row[at(j)] += double{part.data()[i * distance + j]};
      for (std::int64_t j = i; j < factors; ++j) sum[i * distance + j] = static_cast<float>(row[at(j)]);
    }
  });
}

bool lies_ready(MatrixView<const float> factors) noexcept {
  constexpr std::uintptr_t kCacheLine = 64;
  return factors.stride == padded(factors.cols) && factors.cols == factors.stride &&
         reinterpret_cast<std::uintptr_t>(factors.data) % kCacheLine == 0;
}

AlsBasis::AlsBasis(MatrixView<const float> fixed, const AlsGiven& given, float alpha0, bool rotated,
                   const Execution& execution)
    : factors_(fixed.cols),
      rows_(fixed.rows),
      rotated_(rotated || alpha0 == 0),
      alpha0_(alpha0),
      rows_data_(fixed.data),
      diagonal_(at(fixed.cols)) {
  const std::int64_t f = factors_;
  const std::int64_t width = padded(f);
  const std::int64_t distance = row_distance(f);
  const bool is_copied = !lies_ready(fixed) || (turned() && given.turned.data == nullptr);
  if (is_copied) {
    copy_.resize(rows_ * width);
    rows_data_ = copy_.data();
    parallel_for(execution, rows_, 256, [&](std::int64_t begin, std::int64_t end, int) {
      for (std::int64_t r = begin; r < end; ++r) std::copy_n(fixed.row(r).data(), f, copy_.data() + r * width);
    });
  }
  if (alpha0 == 0) return;
  AlignedFloats gram(width * distance);
  const std::int32_t* only = given.counted.empty() ? nullptr : given.counted.data();
  add_gram(rows_data_, width, only, nullptr, only == nullptr ? rows_ : std::ssize(given.counted), f, gram.data(),
           execution);
  for (std::int64_t i = 0; i < f; ++i)
    for (std::int64_t j = 0; j < i; ++j) gram.data()[i * distance + j] = gram.data()[j * distance + i];
  const bool finite = std::all_of(gram.data(), gram.data() + width * distance, [](float v) { return v - v == 0; });
  if (!rotated || !finite) {
    rotated_ = false;
    dense_ = std::move(gram);
    std::for_each(dense_.data(), dense_.data() + width * distance, [&](float& v) { v *= alpha0; });
    for (std::int64_t i = 0; i < f; ++i) diagonal_[at(i)] = double{dense_.data()[i * distance + i]};
    return;
  }
  std::vector<float> square(at(f * f));
  for (std::int64_t i = 0; i < f; ++i) std::copy_n(gram.data() + i * distance, f, square.data() + i * f);
  const SymmetricEigen eigen = symmetric_eigen({square.data(), f, f}, execution);
  to_basis_.resize(width * distance);
  from_basis_.resize(width * distance);
  for (std::int64_t k = 0; k < f; ++k) {
    diagonal_[at(k)] = double{alpha0} * std::max(0.0, eigen.values[at(k)]);
    for (std::int64_t i = 0; i < f; ++i) {
      const auto v = static_cast<float>(eigen.vectors[at(k * eigen.stride + i)]);
      to_basis_.data()[i * distance + k] = v;
      from_basis_.data()[k * distance + i] = v;
    }
  }
  least_ = *std::min_element(diagonal_.begin(), diagonal_.end());
  most_ = *std::max_element(diagonal_.begin(), diagonal_.end());
  MatrixView<float> rows(is_copied ? copy_.data() : given.turned.data, rows_, f);
  rows.stride = width;
  turn_in_place(rows, to_basis_.data(), execution);
  if (!is_copied && !given.is_spent) restored_ = rows;
}

void AlsBasis::restore_fixed(const Execution& execution) const {
  leave(restored_, execution);
}

std::int64_t AlsBasis::stride() const noexcept {
  return padded(factors_);
}

void AlsBasis::enter(MatrixView<float> factors, const Execution& execution) const {
  if (turned()) turn_in_place(factors, to_basis_.data(), execution);
}

void AlsBasis::leave(MatrixView<float> factors, const Execution& execution) const {
  if (turned()) turn_in_place(factors, from_basis_.data(), execution);
}

}  // namespace recocore
