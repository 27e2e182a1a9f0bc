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
    return _mm512_dpbusd_epi32(sum, queries, items);
  }
};

#include "kernels/scan/rows.inl"
#include "kernels/scan/wide.inl"

}  // namespace
}  // namespace avx512_vnni

const ScanKernels scan_avx512_vnni{
    "avx512_vnni",           avx512_vnni::kQueryLevels, avx512_vnni::kQueryLevels + 1, true, 2, avx512_vnni::scan_f32,
    avx512_vnni::scan_codes, avx512_vnni::best_codes,   avx512_vnni::scan_codes_one};

}  // namespace recocore::kernels
