// The reference for the other files of this folder: plain loops, compiled with the build's baseline flags.
#include "kernels/float64/kernel.hpp"

namespace recocore::kernels {
namespace scalar {
namespace {

double dot(const double* x, const double* y, std::int64_t n) noexcept {
  double sum = 0;
  for (std::int64_t i = 0; i < n; ++i) sum += x[i] * y[i];
  return sum;
}

void add_two(double a, const double* x, double b, const double* y, double* z, std::int64_t n) noexcept {
  for (std::int64_t i = 0; i < n; ++i) z[i] += a * x[i] + b * y[i];
}

void rotate_rows(double* z, std::int64_t ldz, std::int64_t high, const Rotation* rotations,
                 std::int64_t count) noexcept {
  for (std::int64_t r = 0; r < count; ++r) {
    double* upper = z + (high - r) * ldz;
    double* lower = upper - ldz;
    const auto [c, s] = rotations[r];
    for (std::int64_t i = 0; i < kRotated; ++i) {
      const double was = lower[i];
      lower[i] = c * was - s * upper[i];
      upper[i] = s * was + c * upper[i];
    }
  }
}

}  // namespace
}  // namespace scalar

const Float64Kernels float64_scalar{"scalar", scalar::dot, scalar::add_two, scalar::rotate_rows};

}  // namespace recocore::kernels
