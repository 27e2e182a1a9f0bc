// The solvers that improve a row's factors and need not reach the minimum.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/least_squares/kernel.hpp"
#include "ops/als_solvers.hpp"

namespace recocore {
namespace {

using kernels::kLane;

// A row's factors are kept next to each other up to this many floats: half of a 2 MiB second-level cache.
constexpr std::int64_t kTileFloats = 262'144;
// Conjugate gradient copies a row's factors up to this many floats; more it reads where they are, time after time: at
// 128 and 256 factors twice as much took the same time, and half of it the same or more.
constexpr std::int64_t kCopiedFloats = 65'536;
// Conjugate gradient stops where what is left to gain is beyond the precision of float32.
constexpr double kRounding = 1e-13;
// It copies as many floats at a time as stay in the nearest cache until they are multiplied (16 KiB).
constexpr std::int64_t kNearFloats = 4096;
// Rows of factors multiplied between two looks at whether to stop.
constexpr std::int64_t kLongStretch = 1024;

std::size_t at(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

}  // namespace

template <typename Body>
void RowSolver::for_tiles(const Row& row, std::int64_t begin, std::int64_t width, const Body& body) {
  const auto& k = kernels::least_squares();
  const auto entries = std::ssize(row.columns);
  const std::int64_t room = std::max<std::int64_t>(kLane, kTileFloats / distance_);
  if (entries <= room) {
    if (!tiled_) {
      tile_.resize(entries * distance_);
      k.gather_rows(basis_.fixed(), basis_.stride(), row.columns.data(), 0, scales_.data(), entries, width_,
                    tile_.data(), distance_);
      tiled_ = true;
    }
    return body(tile_.data() + begin, distance_, 0, entries);
  }
  const std::int64_t distance = row_distance(width);
  const std::int64_t step = kTileFloats / distance;
  tile_.resize(step * distance);
  for (std::int64_t first = 0; first < entries; first += step) {
    checkpoint();  // a row may have any number of entries
    const std::int64_t count = std::min(step, entries - first);
    k.gather_rows(basis_.fixed() + begin, basis_.stride(), row.columns.data() + first, 0, scales_.data() + first, count,
                  width, tile_.data(), distance);
    body(tile_.data(), distance, first, count);
  }
}

void RowSolver::multiply_dense(const float* x, double lambda, std::int64_t begin, std::int64_t count,
                               float* product) const {
  if (basis_.rotated()) {
    for (std::int64_t i = begin; i < begin + count; ++i)
      product[i - begin] = static_cast<float>((i < factors_ ? basis_.diagonal()[at(i)] + lambda : 0) * double{x[i]});
    return;
  }
  kernels::least_squares().dot_rows(basis_.dense() + begin * distance_, distance_, nullptr, count, x, width_, product);
  for (std::int64_t i = 0; i < count; ++i) product[i] += static_cast<float>(lambda) * x[begin + i];
}

// Preconditioned by the diagonal of D: in the eigenbasis that is all of D, and since the system exceeds D, the energy
// residual^T D^-1 residual is at least what the objective is above its minimum.
Solved RowSolver::solve_cg(const Row& row) {
  const auto& k = kernels::least_squares();
  const auto entries = std::ssize(row.columns);
  for (AlignedFloats* vector : {&x_, &residual_, &direction_, &product_, &inverse_}) vector->resize(width_);
  predictions_.resize(padded(entries));
  float* x = x_.data();
  float* residual = residual_.data();
  float* direction = direction_.data();
  float* product = product_.data();
  float* diagonal = diagonal_.data();
  float* inverse = inverse_.data();
  for (std::int64_t i = 0; i < factors_; ++i) {
    diagonal[i] = static_cast<float>(basis_.diagonal()[at(i)] + row.lambda);
    inverse[i] = diagonal[i] > 0 ? 1 / diagonal[i] : 1.0F;
  }
  std::int64_t stretch = 0;  // rows multiplied since the last look at whether to stop
  // product = D direction; returns direction . product
  const auto multiply_own = [&] {
    if (basis_.rotated()) return double{k.multiply(diagonal, direction, width_, product)};
    multiply_dense(direction, row.lambda, 0, width_, product);
    stretch += width_;
    float curvature = 0;
    k.dot_rows(product, width_, nullptr, 1, direction, width_, &curvature);
    return double{curvature};
  };
  const bool copied = entries * distance_ <= kCopiedFloats;
  if (copied) tile_.resize(kCopiedFloats);
  const std::int64_t copied_at_a_time = std::max(kLane, kNearFloats / width_ / kLane * kLane);
  // product += Y^T weigh(Y direction), for a few entries at a time, so that their factors are in the nearest cache the
  // second time: weigh(first, last) turns predictions into coefficients.
  const auto multiply_entries = [&](bool is_first, bool add, const auto& weigh) {
    for (std::int64_t e = 0; e < entries; e += kLane) {
      const std::int64_t some = std::min<std::int64_t>(kLane, entries - e);
      stretch += some;
      if (stretch >= kLongStretch) {
        checkpoint();
        stretch = 0;
      }
      if (is_first && copied && e % copied_at_a_time == 0)
        k.gather_rows(basis_.fixed(), basis_.stride(), row.columns.data() + e, 0, nullptr,
                      std::min(copied_at_a_time, entries - e), width_, tile_.data() + e * distance_, distance_);
      const float* from = copied ? tile_.data() + e * distance_ : basis_.fixed();
      const std::int64_t apart = copied ? distance_ : basis_.stride();
      const std::int32_t* columns = copied ? nullptr : row.columns.data() + e;
      float* predictions = predictions_.data() + e;
      k.dot_rows(from, apart, columns, some, direction, width_, predictions);
      weigh(e, e + some);
      if (add) k.add_rows(from, apart, columns, predictions, some, width_, product);
    }
  };

  // From zero a step of length 1 along the present factors, so that the residual is that of the present factors.
  std::fill_n(x, width_, 0.0F);
  std::copy_n(right_.data(), width_, residual);  // of the prior; entries pull below
  std::copy_n(row.x.begin(), factors_, direction);
  const double before = multiply_own();
  multiply_entries(true, true, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t e = first; e < last; ++e)
      predictions_.data()[e] = scales_.data()[e] * scales_.data()[e] * predictions_.data()[e] - pulls_.data()[e];
  });
  double energy = double{k.advance(1, direction, product, inverse, width_, x, residual)};
  if (!(energy <= double{std::numeric_limits<float>::max()})) return Solved::overflow;
  const double enough = (energy + before) * kRounding;
  double keep = 0;
  for (int step = 1; energy > enough; ++step) {
    k.turn(static_cast<float>(keep), residual, inverse, width_, direction);
    double curvature = multiply_own();
    const bool is_last = step == params_.cg_steps;
    multiply_entries(false, !is_last, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t e = first; e < last; ++e) {
        const float prediction = predictions_.data()[e];
        const float coefficient = scales_.data()[e] * scales_.data()[e] * prediction;
        curvature += double{coefficient} * double{prediction};
        predictions_.data()[e] = coefficient;
      }
    });
    if (!(curvature > 0)) break;
    const auto length = static_cast<float>(energy / curvature);
    if (is_last) {
      k.add_rows(direction, width_, nullptr, &length, 1, width_, x);
      break;
    }
    const double next = double{k.advance(length, direction, product, inverse, width_, x, residual)};
    keep = next / energy;
    energy = next;
  }
  std::copy_n(x, factors_, row.x.begin());
  return Solved::yes;
}

// Rendle et al., "iALS++: Speeding up Matrix Factorization with Subspace Optimization" (2021), section 4.
Solved RowSolver::solve_subspace(const Row& row) {
  const auto& k = kernels::least_squares();
  const auto entries = std::ssize(row.columns);
  const std::int64_t block = std::min(width_, padded(params_.block_size));
  const std::int64_t distance = row_distance(block);
  x_.resize(width_);
  matrix_.resize(block * distance);
  direction_.resize(block);
  predictions_.resize(padded(entries));
  float* x = x_.data();
  float* matrix = matrix_.data();
  float* step = direction_.data();
  float* predictions = predictions_.data();
  steps_.resize(padded(entries));
  float* changes = steps_.data();

  std::copy_n(row.x.begin(), factors_, x);
  k.add_rows(basis_.fixed(), basis_.stride(), row.columns.data(), pulls_.data(), entries, width_, right_.data());
  for_tiles(row, 0, width_, [&](const float* tile, std::int64_t apart, std::int64_t first, std::int64_t count) {
    k.dot_rows(tile, apart, nullptr, count, x, width_, predictions + first);
  });
  for (std::int64_t begin = 0; begin < width_; begin += block) {
    const std::int64_t width = std::min(block, width_ - begin);
    const std::int64_t real = std::min(width, factors_ - begin);
    // The gradient, in `step`, and the block of the system.
    multiply_dense(x, row.lambda, begin, width, step);
    for (std::int64_t i = 0; i < width; ++i) {
      step[i] -= right_.data()[begin + i];
      if (basis_.rotated()) {
        std::fill_n(matrix + i * distance, width, 0.0F);
      } else {
        std::copy_n(basis_.dense() + (begin + i) * distance_ + begin, width, matrix + i * distance);
      }
      if (i < real) matrix[i * distance + i] = static_cast<float>(basis_.diagonal()[at(begin + i)] + row.lambda);
    }
    for_tiles(row, begin, width, [&](const float* tile, std::int64_t apart, std::int64_t first, std::int64_t count) {
      k.add_gram(tile, apart, count, width, matrix, distance);
      k.add_rows(tile, apart, nullptr, predictions + first, count, width, step);
    });
    const Solved solved = solve_positive_definite(matrix, distance, step, real);
    if (solved != Solved::yes) return solved;
    for (std::int64_t i = 0; i < width; ++i) {
      step[i] = i < real ? -step[i] : 0.0F;
      x[begin + i] += step[i];
    }
    if (begin + width == width_) break;  // nobody reads the predictions again
    for_tiles(row, begin, width, [&](const float* tile, std::int64_t apart, std::int64_t first, std::int64_t count) {
      k.dot_rows(tile, apart, nullptr, count, step, width, changes + first);
      for (std::int64_t e = first; e < first + count; ++e) predictions[e] += changes[e];
    });
  }
  std::copy_n(x, factors_, row.x.begin());
  return Solved::yes;
}

}  // namespace recocore
