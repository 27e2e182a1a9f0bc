// Sixteen-bit floats as bits: what a scan reads in the place of float32.
#pragma once

#include <cstdint>

#include "cuda/device.cuh"

namespace recocore::cuda {

struct Float16 {
  std::uint16_t bits;
};
struct Bfloat16 {
  std::uint16_t bits;
};

__device__ inline float widened(float value) {
  return value;
}

__device__ inline float widened(Bfloat16 value) {
  return __uint_as_float(static_cast<unsigned>(value.bits) << 16U);
}

__device__ inline float widened(Float16 value) {
  const unsigned sign = (value.bits & 0x8000U) << 16U;
  const unsigned rest = value.bits & 0x7fffU;
  if (rest >= 0x7c00U) return __uint_as_float(sign | 0x7f800000U | (rest << 13U));
  // The exponent's bias is moved by a product, which also gives numbers below the least normal one their value.
  const float magnitude = __uint_as_float(rest << 13U) * 5.192296858534828e33F;  // 2^112
  return __uint_as_float(sign | __float_as_uint(magnitude));
}

/// Rounded to the nearest, ties to even; what is too large becomes infinite.
__device__ inline void narrow(float value, Bfloat16& out) {
  const unsigned bits = __float_as_uint(value);
  out.bits = static_cast<std::uint16_t>((bits + 0x7fffU + (bits >> 16U & 1U)) >> 16U);
}

__device__ inline void narrow(float value, Float16& out) {
  const unsigned bits = __float_as_uint(value);
  const unsigned sign = bits >> 16U & 0x8000U;
  const unsigned magnitude = bits & 0x7fffffffU;
  if (magnitude >= 0x477ff000U) {  // 65520, from where the nearest is infinite
    out.bits = static_cast<std::uint16_t>(sign | 0x7c00U);
  } else if (magnitude < 0x38800000U) {  // 2^-14: below it digits are lost; the sum's rounding loses them
    out.bits = static_cast<std::uint16_t>(sign | (__float_as_uint(__uint_as_float(magnitude) + 0.5F) - 0x3f000000U));
  } else {
    out.bits = static_cast<std::uint16_t>(sign | ((magnitude - 0x38000000U + 0xfffU + (magnitude >> 13U & 1U)) >> 13U));
  }
}

}  // namespace recocore::cuda
