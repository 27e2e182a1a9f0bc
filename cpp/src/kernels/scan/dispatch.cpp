#include "kernels/scan/kernel.hpp"
#include "recocore/device.hpp"

namespace recocore::kernels {

const ScanKernels& scan() {
  switch (active_isa()) {
#if defined(__x86_64__)
    case Isa::amx: return scan_amx;
    case Isa::avx512_vnni: return scan_avx512_vnni;
    case Isa::avx512: return scan_avx512;
    case Isa::avx2: return scan_avx2;
#else
    case Isa::amx:
    case Isa::avx512_vnni:
    case Isa::avx512:
    case Isa::avx2:
#endif
    case Isa::scalar: break;
  }
  return scan_scalar;
}

}  // namespace recocore::kernels
