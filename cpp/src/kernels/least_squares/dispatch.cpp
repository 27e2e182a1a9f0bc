#include "kernels/least_squares/kernel.hpp"
#include "recocore/device.hpp"

namespace recocore::kernels {

const LeastSquaresKernels& least_squares() {
  switch (active_isa()) {
#if defined(__x86_64__)
    case Isa::amx:
    case Isa::avx512_vnni:
    case Isa::avx512: return least_squares_avx512;
    case Isa::avx2: return least_squares_avx2;
#else
    case Isa::amx:
    case Isa::avx512_vnni:
    case Isa::avx512:
    case Isa::avx2:
#endif
    case Isa::scalar: break;
  }
  return least_squares_scalar;
}

}  // namespace recocore::kernels
