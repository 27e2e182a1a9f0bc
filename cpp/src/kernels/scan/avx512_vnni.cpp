// Compiled with -mavx512f/bw/dq/vl/vnni. Includes only intrinsics, so that no inline function compiled here can be
// linked elsewhere.
#include <immintrin.h>

#include "kernels/scan/kernel.hpp"

namespace recocore::kernels {
namespace avx512_vnni {
namespace {

constexpr std::int32_t kQueryLevels = 127;

struct AddProducts {
  __m512i operator()(__m512i sum, __m512i queries, __m512i items) const noexcept {
    // GCC 12 copies the sum from one register to another for the intrinsic, which takes 1.4 times as long: 600 billion
    // operations a second on one core of an EPYC (Zen 5) with it, 855 so.
    asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(queries), "v"(items));
    return sum;
  }
};

#include "kernels/scan/rows.inl"
#include "kernels/scan/wide.inl"

#include "kernels/scan/pairs.inl"

#include "kernels/scan/groups.inl"

}  // namespace
}  // namespace avx512_vnni

const ScanKernels scan_avx512_vnni{
    "avx512_vnni",           avx512_vnni::kQueryLevels, avx512_vnni::kQueryLevels + 1, true, 2, avx512_vnni::scan_f32,
    avx512_vnni::scan_codes, avx512_vnni::best_codes,   avx512_vnni::scan_codes_one};

}  // namespace recocore::kernels
