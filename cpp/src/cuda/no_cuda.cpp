// Linked in place of the CUDA sources when the build has no CUDA.
#include "recocore/device.hpp"

namespace recocore {

bool built_with_cuda() noexcept {
  return false;
}

int cuda_device_count() noexcept {
  return 0;
}

}  // namespace recocore
