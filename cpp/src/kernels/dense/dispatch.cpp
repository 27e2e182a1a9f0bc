#include "kernels/dense/kernel.hpp"
#include "recocore/device.hpp"

namespace recocore::kernels {

const DenseKernels& dense() {
  switch (active_isa()) {
#if defined(__x86_64__)
    case Isa::amx:
    case Isa::avx512_vnni:
    case Isa::avx512: return dense_avx512;
    case Isa::avx2: return dense_avx2;
#else
    case Isa::amx:
    case Isa::avx512_vnni:
    case Isa::avx512:
    case Isa::avx2:
#endif
    case Isa::scalar: break;
  }
  return dense_scalar;
}

}  // namespace recocore::kernels
