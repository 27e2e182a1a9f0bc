// The reference for the other files of this folder: plain loops, compiled with the build's baseline flags.
#include <cmath>
#include <limits>

#include "kernels/least_squares/kernel.hpp"

namespace recocore::kernels {
namespace scalar {
namespace {

void add_scaled(float scale, const float* x, std::int64_t n, float* y) noexcept {
  for (std::int64_t i = 0; i < n; ++i) y[i] += scale * x[i];
}

void product(float sign, const float* a, std::int64_t lda, const float* b, std::int64_t ldb, std::int64_t k,
             std::int64_t m, std::int64_t n, float* c, std::int64_t ldc) noexcept {
  for (std::int64_t p = 0; p < k; ++p)
    for (std::int64_t i = 0; i < m; ++i) add_scaled(sign * a[p * lda + i], b + p * ldb, n, c + i * ldc);
}

void add_product(const float* a, std::int64_t lda, const float* b, std::int64_t ldb, std::int64_t k, std::int64_t m,
                 std::int64_t n, float* c, std::int64_t ldc) noexcept {
  product(1, a, lda, b, ldb, k, m, n, c, ldc);
}

void subtract_product(const float* a, std::int64_t lda, const float* b, std::int64_t ldb, std::int64_t k,
                      std::int64_t m, std::int64_t n, float* c, std::int64_t ldc) noexcept {
  product(-1, a, lda, b, ldb, k, m, n, c, ldc);
}

void add_gram(const float* x, std::int64_t ldx, std::int64_t k, std::int64_t n, float* c, std::int64_t ldc) noexcept {
  for (std::int64_t p = 0; p < k; ++p)
    for (std::int64_t i = 0; i < n; ++i) add_scaled(x[p * ldx + i], x + p * ldx + i, n - i, c + i * ldc + i);
}

Pivots factor_rows(float* a, std::int64_t lda, std::int64_t width, float smallest) noexcept {
  for (std::int64_t k = 0; k < kLane; ++k) {
    float* row = a + k * lda;
    if (!(row[k] <= std::numeric_limits<float>::max())) return Pivots::not_finite;
    if (!(row[k] > smallest)) return Pivots::too_small;
    const float scale = 1 / std::sqrt(row[k]);
    for (std::int64_t j = k; j < width; ++j) row[j] *= scale;
    for (std::int64_t i = k + 1; i < kLane; ++i) add_scaled(-row[i], row + i, width - i, a + i * lda + i);
  }
  return Pivots::good;
}

void solve_upper(const float* u, std::int64_t ldu, std::int64_t n, float* b) noexcept {
  for (std::int64_t k = 0; k < n; ++k) {
    b[k] /= u[k * ldu + k];
    add_scaled(-b[k], u + k * ldu + k + 1, n - k - 1, b + k + 1);
  }
  for (std::int64_t k = n - 1; k >= 0; --k) {
    float sum = b[k];
    for (std::int64_t j = k + 1; j < n; ++j) sum -= u[k * ldu + j] * b[j];
    b[k] = sum / u[k * ldu + k];
  }
}

const float* row_of(const float* source, std::int64_t stride, const std::int32_t* columns, std::int64_t first,
                    std::int64_t e) noexcept {
  return source + (columns != nullptr ? columns[e] : first + e) * stride;
}

void gather_rows(const float* source, std::int64_t stride, const std::int32_t* columns, std::int64_t first,
                 const float* scales, std::int64_t count, std::int64_t n, float* out, std::int64_t ldo) noexcept {
  for (std::int64_t e = 0; e < count; ++e) {
    const float* row = row_of(source, stride, columns, first, e);
    const float scale = scales != nullptr ? scales[e] : 1.0F;
    for (std::int64_t i = 0; i < n; ++i) out[e * ldo + i] = scale * row[i];
  }
}

void gather_columns(const float* source, std::int64_t stride, const std::int32_t* columns, std::int64_t first,
                    const float* scales, const float* row_scales, std::int64_t count, std::int64_t n, float* out,
                    std::int64_t ldo) noexcept {
  const std::int64_t width = (count + kLane - 1) / kLane * kLane;
  for (std::int64_t e = 0; e < width; ++e) {
    const float* row = e < count ? row_of(source, stride, columns, first, e) : nullptr;
    const float scale = scales != nullptr && e < count ? scales[e] : 1.0F;
    for (std::int64_t i = 0; i < n; ++i)
      out[i * ldo + e] = e < count ? row[i] * (row_scales != nullptr ? scale * row_scales[i] : scale) : 0.0F;
  }
}

void add_rows(const float* source, std::int64_t stride, const std::int32_t* columns, const float* coefficients,
              std::int64_t count, std::int64_t n, float* sum) noexcept {
  for (std::int64_t e = 0; e < count; ++e) add_scaled(coefficients[e], row_of(source, stride, columns, 0, e), n, sum);
}

void dot_rows(const float* source, std::int64_t stride, const std::int32_t* columns, std::int64_t count, const float* x,
              std::int64_t n, float* products) noexcept {
  for (std::int64_t e = 0; e < count; ++e) {
    const float* row = row_of(source, stride, columns, 0, e);
    float sum = 0;
    for (std::int64_t i = 0; i < n; ++i) sum += row[i] * x[i];
    products[e] = sum;
  }
}

float multiply(const float* d, const float* x, std::int64_t n, float* out) noexcept {
  float sum = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    out[i] = d[i] * x[i];
    sum += out[i] * x[i];
  }
  return sum;
}

float advance(float length, const float* direction, const float* product, const float* inverse, std::int64_t n,
              float* x, float* residual) noexcept {
  float sum = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    x[i] += length * direction[i];
    residual[i] -= length * product[i];
    sum += residual[i] * inverse[i] * residual[i];
  }
  return sum;
}

void turn(float keep, const float* residual, const float* inverse, std::int64_t n, float* direction) noexcept {
  for (std::int64_t i = 0; i < n; ++i) direction[i] = inverse[i] * residual[i] + keep * direction[i];
}

}  // namespace
}  // namespace scalar

const LeastSquaresKernels least_squares_scalar{"scalar",
                                               scalar::add_product,
                                               scalar::subtract_product,
                                               scalar::add_gram,
                                               scalar::factor_rows,
                                               scalar::solve_upper,
                                               scalar::gather_rows,
                                               scalar::gather_columns,
                                               scalar::add_rows,
                                               scalar::dot_rows,
                                               scalar::multiply,
                                               scalar::advance,
                                               scalar::turn};

}  // namespace recocore::kernels
