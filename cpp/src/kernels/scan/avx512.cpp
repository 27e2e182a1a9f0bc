// Compiled with -mavx512f/bw/dq/vl. Includes only intrinsics, so that no inline function compiled here can be linked
// elsewhere.
#include <immintrin.h>

#include "kernels/scan/kernel.hpp"

namespace recocore::kernels {
namespace avx512 {
namespace {

// Two products of unsigned and signed bytes are summed up in 16 bits: 2 * 127 * 127 fits, 2 * 255 * 127 would not.
constexpr std::int32_t kQueryLevels = 63;

/// Two sums of products of bytes, without the instructions that do it at once.
struct AddProducts {
  __m512i operator()(__m512i sum, __m512i queries, __m512i items) const noexcept {
    const __m512i pairs = _mm512_maddubs_epi16(queries, items);
    return _mm512_add_epi32(sum, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
  }
};

#include "kernels/scan/rows.inl"
#include "kernels/scan/wide.inl"

#include "kernels/scan/pairs.inl"

#include "kernels/scan/groups.inl"

}  // namespace
}  // namespace avx512

const ScanKernels scan_avx512{
    "avx512",           avx512::kQueryLevels, avx512::kQueryLevels + 1, true, 4, avx512::scan_f32,
    avx512::scan_codes, avx512::best_codes,   avx512::scan_codes_one};

}  // namespace recocore::kernels
