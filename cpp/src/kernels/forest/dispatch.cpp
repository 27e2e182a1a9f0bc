#include "kernels/forest/kernel.hpp"
#include "recocore/device.hpp"

namespace recocore::kernels {

const ForestKernels& forest() {
  switch (active_isa()) {
#if defined(__x86_64__)
    case Isa::amx:
    case Isa::avx512_vnni:
    case Isa::avx512: return forest_avx512;
    case Isa::avx2: return forest_avx2;
#else
    case Isa::amx:
    case Isa::avx512_vnni:
    case Isa::avx512:
    case Isa::avx2:
#endif
    case Isa::scalar: break;
  }
  return forest_scalar;
}

}  // namespace recocore::kernels
