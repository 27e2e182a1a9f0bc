// One row of an ALS half-epoch by one block: minimise x^T (D + sum w y y^T) x - 2 b^T x, where D = alpha0 G + lambda I
// and b = sum of pull y + lambda prior.
#pragma once

#include <cfloat>
#include <cstdint>

#include "ops/cuda/cholesky.cuh"
#include "ops/cuda/gram.cuh"

namespace recocore::cuda {

/// Entries up to which a row is solved in the dual: one tile of a product.
inline constexpr std::int64_t kDualEntries = kTile;

/// What all rows have in common, in the basis of the half-epoch.
struct AlsBasisView {
  const float* fixed = nullptr;  ///< rows of `width`
  std::int64_t width = 0;
  const float* dense = nullptr;      ///< alpha0 G, [width, width]; null where the basis makes it diagonal
  const double* diagonal = nullptr;  ///< its diagonal, [width]
};

/// Some consecutive rows of the interactions.
struct AlsRowsView {
  const long long* begin = nullptr;  ///< [rows + 1], of the entries here
  const std::int32_t* columns = nullptr;
  const float* weights = nullptr;   ///< w of each entry
  const float* pulls = nullptr;     ///< of each entry
  const double* lambdas = nullptr;  ///< [rows]
  const float* priors = nullptr;    ///< [rows, width]; null for zero
  float* x = nullptr;               ///< [rows, width]
  float* predictions = nullptr;     ///< of each entry; for solvers that go on from present factors
};

/// Which rows a launch solves, and where it says that one has no solution: the least of 4 row + outcome.
struct AlsTask {
  const std::int32_t* rows = nullptr;
  std::int64_t count = 0;
  unsigned long long* failed = nullptr;
};

__device__ inline void report(const AlsTask& task, std::int32_t row, Outcome outcome) {
  if (is_first_thread() && outcome != Outcome::solved)
    atomicMin(task.failed, 4ULL * static_cast<unsigned>(row) + static_cast<unsigned>(outcome));
}

/// out[t] += sum over entries e of coefficient(e) * column first + t of the entry's fixed row, t < width. Groups of
/// threads take every so many entries, and are added up in order. A barrier comes first and last; `scratch` has
/// kThreads elements.
template <typename Coefficient>
__device__ void add_entries(float* out, const AlsBasisView& basis, const std::int32_t* columns, std::int64_t entries,
                            std::int64_t first, std::int64_t width, const Coefficient& coefficient, float* scratch) {
  constexpr std::int64_t kStretch = 64;
  std::int64_t side = 1;
  while (side < width && side < kThreads) side *= 2;
  const std::int64_t groups = kThreads / side;
  const std::int64_t mine = threadIdx.x % side;
  for (std::int64_t from = 0; from < width; from += side) {
    __syncthreads();
    double whole = 0;  // of stretches, so that a hundred thousand entries lose no more digits than a hundred
    if (from + mine < width)
      for (std::int64_t stretch = threadIdx.x / side; stretch < entries; stretch += kStretch * groups) {
        float sum = 0;
        const std::int64_t end = stretch + kStretch * groups < entries ? stretch + kStretch * groups : entries;
        for (std::int64_t e = stretch; e < end; e += groups)
          sum = fmaf(coefficient(e), basis.fixed[columns[e] * basis.width + first + from + mine], sum);
        whole += static_cast<double>(sum);
      }
    scratch[threadIdx.x] = static_cast<float>(whole);
    __syncthreads();
    if (threadIdx.x < side && from + mine < width) {
      float total = out[from + mine];
      for (std::int64_t g = 0; g < groups; ++g) total += scratch[g * side + mine];
      out[from + mine] = total;
    }
  }
  __syncthreads();
}

/// use(e, prediction) of each entry on one lane, prediction being the product of columns [first, first + width) of its
/// fixed row with x: a warp an entry.
template <typename Use>
__device__ void for_predictions(const float* x, const AlsBasisView& basis, const std::int32_t* columns,
                                std::int64_t entries, std::int64_t first, std::int64_t width, const Use& use) {
  for (std::int64_t e = threadIdx.x / 32; e < entries; e += kThreads / 32) {
    const float* y = basis.fixed + columns[e] * basis.width + first;
    float sum = 0;
    for (std::int64_t t = lane_id(); t < width; t += 32) sum = fmaf(y[t], x[t], sum);
    for (int apart = 16; apart > 0; apart /= 2) sum += __shfl_xor_sync(kAllLanes, sum, apart);
    if (lane_id() == 0) use(e, sum);
  }
}

/// Element (i, j) of D.
__device__ inline float dense_at(const AlsBasisView& basis, double lambda, std::int64_t i, std::int64_t j) {
  const float own = basis.dense == nullptr ? 0.0F : basis.dense[i * basis.width + j];
  return i == j ? static_cast<float>(basis.diagonal[i] + lambda) : own;
}

/// matrix [width, width], the lower triangle: the block of the row's system at column `first`.
__device__ inline void build_system(float* matrix, const AlsBasisView& basis, const AlsRowsView& rows, std::int64_t row,
                                    std::int64_t first, std::int64_t width, float* shared) {
  const long long begin = rows.begin[row];
  const WeighedRows from{basis.fixed + first,  basis.width,          width,
                         rows.columns + begin, rows.weights + begin, rows.begin[row + 1] - begin};
  for (std::int64_t r = 0; r < width; r += kTile)
    for (std::int64_t c = 0; c <= r; c += kTile) {
      float sums[kEach][kEach] = {};
      add_outer_products(sums, shared, from, 0, from.count, r, c);
      RECOCORE_UNROLL for (int i = 0; i < kEach; ++i) RECOCORE_UNROLL for (int j = 0; j < kEach; ++j) {
        const std::int64_t at_row = r + tile_row() + i;
        const std::int64_t at_column = c + tile_column() + j;
        if (at_row < width && at_column <= at_row)
          matrix[at_row * width + at_column] =
              sums[i][j] + dense_at(basis, rows.lambdas[row], first + at_row, first + at_column);
      }
    }
}

/// Exact, by the system of the factors, `block` of them at a time: all at once, or one block after the other with
/// cached predictions (Rendle et al., "iALS++", 2021, section 4). `workspace` has block^2 floats for each block of
/// threads.
__global__ void __launch_bounds__(kThreads)
    solve_blocks(AlsBasisView basis, AlsRowsView rows, AlsTask task, std::int64_t block, float* workspace) {
  RECOCORE_SHARED(float, shared, kTileFloats);
  RECOCORE_SHARED(float, scratch, kThreads);
  RECOCORE_DYNAMIC_SHARED(float, right);
  float* const matrix = workspace + blockIdx.x * block * block;
  const bool is_whole = block >= basis.width;
  for (std::int64_t i = blockIdx.x; i < task.count; i += gridDim.x) {
    const std::int32_t row = task.rows[i];
    const long long begin = rows.begin[row];
    const std::int64_t entries = rows.begin[row + 1] - begin;
    const std::int32_t* columns = rows.columns + begin;
    const float* weights = rows.weights + begin;
    const float* pulls = rows.pulls + begin;
    float* predictions = is_whole ? nullptr : rows.predictions + begin;
    float* x = rows.x + row * basis.width;
    const float* prior = rows.priors == nullptr ? nullptr : rows.priors + row * basis.width;
    if (!is_whole)
      for_predictions(x, basis, columns, entries, 0, basis.width,
                      [=](std::int64_t e, float prediction) { predictions[e] = prediction; });
    Outcome outcome = Outcome::solved;
    for (std::int64_t first = 0; first < basis.width && outcome == Outcome::solved; first += block) {
      const std::int64_t width = block < basis.width - first ? block : basis.width - first;
      build_system(matrix, basis, rows, row, first, width, shared);
      __syncthreads();
      for (std::int64_t t = threadIdx.x; t < width; t += kThreads) {
        right[t] = prior == nullptr ? 0.0F : static_cast<float>(rows.lambdas[row] * double{prior[first + t]});
        if (is_whole) continue;
        if (basis.dense == nullptr) {
          right[t] -= dense_at(basis, rows.lambdas[row], first + t, first + t) * x[first + t];
        } else {
          for (std::int64_t j = 0; j < basis.width; ++j)
            right[t] -= dense_at(basis, rows.lambdas[row], first + t, j) * x[j];
        }
      }
      add_entries(
          right, basis, columns, entries, first, width,
          [=](std::int64_t e) { return predictions == nullptr ? pulls[e] : pulls[e] - weights[e] * predictions[e]; },
          scratch);
      outcome = solve_in_block(matrix, width, right, width, shared, scratch);
      if (outcome != Outcome::solved) break;
      for (std::int64_t t = threadIdx.x; t < width; t += kThreads)
        x[first + t] = is_whole ? right[t] : x[first + t] + right[t];
      if (!is_whole)
        for_predictions(right, basis, columns, entries, first, width,
                        [=](std::int64_t e, float change) { predictions[e] += change; });
      __syncthreads();
    }
    report(task, row, outcome);
  }
}

/// Exact, by the dual, for rows of at most kDualEntries in the eigenbasis of G, where D is diagonal. With Z = sqrt(W) Y
/// and b = Z^T s: (D + Z^T Z)^-1 Z^T s = D^-1 Z^T (I + Z D^-1 Z^T)^-1 s. A prior p adds q = D^-1 lambda p, and the
/// entries then account for s - Z q.
__global__ void __launch_bounds__(kThreads) solve_duals(AlsBasisView basis, AlsRowsView rows, AlsTask task) {
  constexpr std::int64_t kStride = kDualEntries + 1;
  RECOCORE_SHARED(float, shared, kTileFloats);
  RECOCORE_SHARED(float, scratch, kThreads);
  RECOCORE_SHARED(float, matrix, kDualEntries* kStride);
  RECOCORE_SHARED(float, unknowns, kDualEntries);
  RECOCORE_SHARED(float, scales, kDualEntries);
  RECOCORE_DYNAMIC_SHARED(float, factors);  // 1 / sqrt(D), then b
  float* const roots = factors;
  float* const right = factors + basis.width;
  for (std::int64_t i = blockIdx.x; i < task.count; i += gridDim.x) {
    const std::int32_t row = task.rows[i];
    const long long begin = rows.begin[row];
    const auto entries = static_cast<int>(rows.begin[row + 1] - begin);
    const std::int32_t* columns = rows.columns + begin;
    const double lambda = rows.lambdas[row];
    __syncthreads();
    for (std::int64_t t = threadIdx.x; t < basis.width; t += kThreads) {
      roots[t] = 1.0F / sqrtf(static_cast<float>(basis.diagonal[t] + lambda));
      right[t] =
          rows.priors == nullptr ? 0.0F : static_cast<float>(lambda * double{rows.priors[row * basis.width + t]});
    }
    for (int e = static_cast<int>(threadIdx.x); e < entries; e += kThreads) {
      scales[e] = sqrtf(rows.weights[begin + e]);
      unknowns[e] = scales[e] > 0 ? rows.pulls[begin + e] / scales[e] : 0.0F;
    }
    __syncthreads();
    float sums[kEach][kEach] = {};
    const auto scaled = [=](int e, std::int64_t t) {
      return e < entries ? scales[e] * basis.fixed[columns[e] * basis.width + t] * roots[t] : 0.0F;
    };
    add_product<Along::depth, Along::depth>(sums, shared, basis.width, scaled, scaled);
    RECOCORE_UNROLL for (int r = 0; r < kEach; ++r) RECOCORE_UNROLL for (int c = 0; c < kEach; ++c) {
      const int at_row = tile_row() + r;
      const int at_column = tile_column() + c;
      matrix[at_row * kStride + at_column] = sums[r][c] + (at_row == at_column ? 1.0F : 0.0F);
    }
    if (rows.priors != nullptr) {
      for (std::int64_t t = threadIdx.x; t < basis.width; t += kThreads)
        rows.x[row * basis.width + t] = right[t] * roots[t] * roots[t];
      __syncthreads();
      for_predictions(rows.x + row * basis.width, basis, columns, entries, 0, basis.width,
                      [=](std::int64_t e, float prediction) { unknowns[e] -= scales[e] * prediction; });
    }
    Outcome outcome = solve_in_block(matrix, kStride, unknowns, entries, shared, scratch);
    float bad = 0;
    if (outcome == Outcome::solved) {
      add_entries(
          right, basis, columns, entries, 0, basis.width, [=](std::int64_t e) { return scales[e] * unknowns[e]; },
          scratch);
      for (std::int64_t t = threadIdx.x; t < basis.width; t += kThreads) {
        const float x = right[t] * roots[t] * roots[t];
        rows.x[row * basis.width + t] = x;
        if (!(fabsf(x) <= FLT_MAX)) bad = 1;
      }
      if (sum_of_block(bad, scratch) > 0) outcome = Outcome::overflow;
    }
    report(task, row, outcome);
  }
}

/// The sum over the factors of product(t), in float64, for all threads.
template <typename Product>
__device__ double sum_over_factors(std::int64_t width, double* scratch, const Product& product) {
  double sum = 0;
  for (std::int64_t t = threadIdx.x; t < width; t += kThreads) sum += static_cast<double>(product(t));
  return sum_of_block(sum, scratch);
}

/// Steps of conjugate gradient from the present factors, in the eigenbasis of G and preconditioned by D, as the CPU's
/// (Takacs et al. 2011).
__global__ void __launch_bounds__(kThreads)
    improve_by_gradient(AlsBasisView basis, AlsRowsView rows, AlsTask task, int steps) {
  constexpr double kRounding = 1e-13;  // what is left to gain then is beyond float32
  RECOCORE_SHARED(float, scratch, kThreads);
  RECOCORE_SHARED(double, sums, kThreads);
  RECOCORE_DYNAMIC_SHARED(float, vectors);
  const std::int64_t width = basis.width;
  float* const residual = vectors;
  float* const direction = vectors + width;
  float* const product = vectors + 2 * width;
  for (std::int64_t i = blockIdx.x; i < task.count; i += gridDim.x) {
    const std::int32_t row = task.rows[i];
    const long long begin = rows.begin[row];
    const std::int64_t entries = rows.begin[row + 1] - begin;
    const std::int32_t* columns = rows.columns + begin;
    const float* weights = rows.weights + begin;
    const float* pulls = rows.pulls + begin;
    float* predictions = rows.predictions + begin;
    float* x = rows.x + row * width;
    const double lambda = rows.lambdas[row];
    const auto own = [=](std::int64_t t) { return static_cast<float>(basis.diagonal[t] + lambda); };
    const auto inverse = [=](std::int64_t t) { return own(t) > 0 ? 1 / own(t) : 1.0F; };
    __syncthreads();
    for (std::int64_t t = threadIdx.x; t < width; t += kThreads) {
      residual[t] = rows.priors == nullptr ? 0.0F : static_cast<float>(lambda * double{rows.priors[row * width + t]});
      direction[t] = x[t];
      product[t] = own(t) * x[t];
    }
    const double before = sum_over_factors(width, sums, [=](std::int64_t t) { return direction[t] * product[t]; });
    for_predictions(direction, basis, columns, entries, 0, width,
                    [=](std::int64_t e, float prediction) { predictions[e] = weights[e] * prediction - pulls[e]; });
    __syncthreads();
    add_entries(product, basis, columns, entries, 0, width, [=](std::int64_t e) { return predictions[e]; }, scratch);
    for (std::int64_t t = threadIdx.x; t < width; t += kThreads) residual[t] -= product[t];
    double energy =
        sum_over_factors(width, sums, [=](std::int64_t t) { return residual[t] * residual[t] * inverse(t); });
    Outcome outcome = energy <= double{FLT_MAX} ? Outcome::solved : Outcome::overflow;
    const double enough = (energy + before) * kRounding;
    float keep = 0;
    for (int step = 1; outcome == Outcome::solved && energy > enough && step <= steps; ++step) {
      for (std::int64_t t = threadIdx.x; t < width; t += kThreads) {
        direction[t] = inverse(t) * residual[t] + keep * direction[t];
        product[t] = own(t) * direction[t];
      }
      __syncthreads();
      for_predictions(direction, basis, columns, entries, 0, width,
                      [=](std::int64_t e, float prediction) { predictions[e] = weights[e] * prediction; });
      __syncthreads();
      add_entries(product, basis, columns, entries, 0, width, [=](std::int64_t e) { return predictions[e]; }, scratch);
      const double curvature = sum_over_factors(width, sums, [=](std::int64_t t) { return direction[t] * product[t]; });
      if (!(curvature > 0)) break;
      const auto length = static_cast<float>(energy / curvature);
      for (std::int64_t t = threadIdx.x; t < width; t += kThreads) {
        x[t] += length * direction[t];
        residual[t] -= length * product[t];
      }
      const double next =
          sum_over_factors(width, sums, [=](std::int64_t t) { return residual[t] * residual[t] * inverse(t); });
      keep = static_cast<float>(next / energy);
      energy = next;
    }
    float bad = 0;
    for (std::int64_t t = threadIdx.x; t < width; t += kThreads)
      if (!(fabsf(x[t]) <= FLT_MAX)) bad = 1;
    if (sum_of_block(bad, scratch) > 0) outcome = Outcome::overflow;
    report(task, row, outcome);
  }
}

/// A row with very many entries, whose system other blocks have summed up: `matrix` [width, width] without D.
__global__ void __launch_bounds__(kThreads)
    solve_head(AlsBasisView basis, AlsRowsView rows, AlsTask task, float* matrix) {
  RECOCORE_SHARED(float, shared, kTileFloats);
  RECOCORE_SHARED(float, scratch, kThreads);
  RECOCORE_DYNAMIC_SHARED(float, right);
  const std::int32_t row = task.rows[0];
  const long long begin = rows.begin[row];
  const float* pulls = rows.pulls + begin;
  for (std::int64_t at = threadIdx.x; at < basis.width * basis.width; at += kThreads)
    matrix[at] += dense_at(basis, rows.lambdas[row], at / basis.width, at % basis.width);
  for (std::int64_t t = threadIdx.x; t < basis.width; t += kThreads)
    right[t] = rows.priors == nullptr
                   ? 0.0F
                   : static_cast<float>(rows.lambdas[row] * double{rows.priors[row * basis.width + t]});
  add_entries(
      right, basis, rows.columns + begin, rows.begin[row + 1] - begin, 0, basis.width,
      [=](std::int64_t e) { return pulls[e]; }, scratch);
  const Outcome outcome = solve_in_block(matrix, basis.width, right, basis.width, shared, scratch);
  for (std::int64_t t = threadIdx.x; t < basis.width; t += kThreads) rows.x[row * basis.width + t] = right[t];
  report(task, row, outcome);
}

/// What an entry weighs and pulls, from its value.
enum class EntryLoss { ials, original, ratings };

__global__ void __launch_bounds__(kThreads)
    weigh_entries(EntryLoss loss, float alpha0, float negative_preference, const float* values, const float* given,
                  const float* offsets, const std::int32_t* columns, std::int64_t count, float* weights, float* pulls) {
  for (std::int64_t e = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; e < count;
       e += std::int64_t{gridDim.x} * kThreads) {
    const float value = values[e];
    const float own = given == nullptr ? 1.0F : given[e];
    if (loss == EntryLoss::ratings) {
      weights[e] = own;
      pulls[e] = own * (value - (offsets == nullptr ? 0.0F : offsets[columns[e]]));
    } else {
      weights[e] = own * fabsf(value);
      pulls[e] =
          (value < 0 ? negative_preference : 1.0F) * (loss == EntryLoss::original ? alpha0 + weights[e] : weights[e]);
    }
  }
}

/// losses[r]: what the entries of row r add to the objective beside alpha0 times the square of every prediction.
__global__ void __launch_bounds__(kThreads)
    sum_losses(EntryLoss loss, double alpha0, double negative_preference, AlsBasisView basis, AlsRowsView rows,
               const float* values, const float* offsets, std::int64_t count, double* losses) {
  RECOCORE_SHARED(double, sums, kThreads);
  for (std::int64_t r = blockIdx.x; r < count; r += gridDim.x) {
    const long long begin = rows.begin[r];
    double mine = 0;
    for_predictions(rows.x + r * basis.width, basis, rows.columns + begin, rows.begin[r + 1] - begin, 0, basis.width,
                    [&](std::int64_t e, float predicted) {
                      const double value = values[begin + e];
                      const double weight = rows.weights[begin + e];
                      const double prediction = predicted;
                      if (loss == EntryLoss::ratings) {
                        const double offset = offsets == nullptr ? 0.0 : double{offsets[rows.columns[begin + e]]};
                        mine += weight * (value - offset - prediction) * (value - offset - prediction);
                        return;
                      }
                      const double wanted = value < 0 ? negative_preference : 1.0;
                      const double squared = (wanted - prediction) * (wanted - prediction);
                      mine += loss == EntryLoss::ials ? weight * squared
                                                      : (alpha0 + weight) * squared - alpha0 * prediction * prediction;
                    });
    const double sum = sum_of_block(mine, sums);
    if (is_first_thread()) losses[r] = sum;
  }
}

/// squares[r]: the sum of the squares of row r.
__global__ void __launch_bounds__(kThreads)
    sum_squares(const float* rows, std::int64_t stride, std::int64_t count, std::int64_t width, double* squares) {
  RECOCORE_SHARED(double, sums, kThreads);
  for (std::int64_t r = blockIdx.x; r < count; r += gridDim.x) {
    const double sum = sum_over_factors(width, sums, [=](std::int64_t t) {
      return static_cast<double>(rows[r * stride + t]) * static_cast<double>(rows[r * stride + t]);
    });
    if (is_first_thread()) squares[r] = sum;
  }
}

}  // namespace recocore::cuda
