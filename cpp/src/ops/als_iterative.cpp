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

// Preconditioned by the diagonal of D: in the eigenbasis that is all of D.
void RowSolver::solve_cg(const Row& row) {
  const auto& k = kernels::least_squares();
  const auto entries = std::ssize(row.columns);
  for (AlignedFloats* vector : {&x_, &residual_, &direction_, &product_, &steps_}) vector->resize(width_);
  predictions_.resize(padded(entries));
  float* x = x_.data();
  float* residual = residual_.data();
  float* direction = direction_.data();
  float* product = product_.data();
  float* preconditioned = steps_.data();
  const auto multiply = [&](const float* v) {  // product = (D + sum w y y^T) v
    multiply_dense(v, row.lambda, 0, width_, product);
    for_tiles(row, 0, width_, [&](const float* tile, std::int64_t distance, std::int64_t, std::int64_t count) {
      for (std::int64_t e = 0; e < count; e += kLane) {  // twice over the same rows while they are in the nearest cache
        const std::int64_t some = std::min<std::int64_t>(kLane, count - e);
        k.dot_rows(tile + e * distance, distance, nullptr, some, v, width_, predictions_.data());
        k.add_rows(tile + e * distance, distance, nullptr, predictions_.data(), some, width_, product);
      }
    });
  };
  const auto precondition = [&] {
    double energy = 0;
    for (std::int64_t i = 0; i < factors_; ++i) {
      const double d = basis_.diagonal()[at(i)] + row.lambda;
      preconditioned[i] = static_cast<float>(d > 0 ? double{residual[i]} / d : double{residual[i]});
      energy += double{residual[i]} * double{preconditioned[i]};
    }
    return energy;
  };

  std::copy_n(row.x.begin(), factors_, x);
  k.add_rows(basis_.fixed(), basis_.stride(), row.columns.data(), pulls_.data(), entries, width_, right_.data());
  multiply(x);
  for (std::int64_t i = 0; i < width_; ++i) residual[i] = right_.data()[i] - product[i];
  double energy = precondition();
  std::copy_n(preconditioned, width_, direction);
  for (int step = 0; step < params_.cg_steps; ++step) {
    if (energy <= double{std::numeric_limits<float>::min()}) break;
    checkpoint();
    multiply(direction);
    double curvature = 0;
    for (std::int64_t i = 0; i < factors_; ++i) curvature += double{direction[i]} * double{product[i]};
    if (!(curvature > 0)) break;
    const auto length = static_cast<float>(energy / curvature);
    for (std::int64_t i = 0; i < factors_; ++i) {
      x[i] += length * direction[i];
      residual[i] -= length * product[i];
    }
    const double next = precondition();
    const auto keep = static_cast<float>(next / energy);
    for (std::int64_t i = 0; i < factors_; ++i) direction[i] = preconditioned[i] + keep * direction[i];
    energy = next;
  }
  std::copy_n(x, factors_, row.x.begin());
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
