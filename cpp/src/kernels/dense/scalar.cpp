// The reference for the other files of this folder: plain loops, compiled with the build's baseline flags.
#include "kernels/dense/kernel.hpp"

namespace recocore::kernels {
namespace scalar {
namespace {

float dot_f32(const float* x, const float* y, std::int64_t n) noexcept {
  float sum = 0;
  for (std::int64_t i = 0; i < n; ++i) sum += x[i] * y[i];
  return sum;
}

float squared_distance_f32(const float* x, const float* y, std::int64_t n) noexcept {
  float sum = 0;
  for (std::int64_t i = 0; i < n; ++i) sum += (x[i] - y[i]) * (x[i] - y[i]);
  return sum;
}

void axpy_f32(float a, const float* x, float* y, std::int64_t n) noexcept {
  for (std::int64_t i = 0; i < n; ++i) y[i] += a * x[i];
}

}  // namespace
}  // namespace scalar

const DenseKernels dense_scalar{"scalar", scalar::dot_f32, scalar::squared_distance_f32, scalar::axpy_f32};

}  // namespace recocore::kernels
