#include "kernels/float64/kernel.hpp"
#include "recocore/device.hpp"

namespace recocore::kernels {

const Float64Kernels& float64() {
  switch (active_isa()) {
#if defined(__x86_64__)
    case Isa::amx:
    case Isa::avx512_vnni:
    case Isa::avx512: return float64_avx512;
    case Isa::avx2: return float64_avx2;
#else
    case Isa::amx:
    case Isa::avx512_vnni:
    case Isa::avx512:
    case Isa::avx2:
#endif
    case Isa::scalar: break;
  }
  return float64_scalar;
}

}  // namespace recocore::kernels
