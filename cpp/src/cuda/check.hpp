// Turns the status of a CUDA call into the core's error.
#pragma once

#include <cuda_runtime_api.h>

#include <string>

#include "recocore/error.hpp"

namespace recocore::cuda {

/// Throws Error{out_of_memory} or Error{device} naming the call unless it succeeded.
inline void check(cudaError_t status, const char* call) {
  if (status == cudaSuccess) return;
  static_cast<void>(cudaGetLastError());  // or the next call would report it again
  const std::string message = std::string(call) + ": " + cudaGetErrorName(status) + ", " + cudaGetErrorString(status);
  if (status == cudaErrorMemoryAllocation)
    throw Error(ErrorCode::out_of_memory, message + "; ask for less at once, or free memory of the device");
  throw Error(ErrorCode::device, message);
}

}  // namespace recocore::cuda

#define RECOCORE_CUDA_CHECK(call) ::recocore::cuda::check((call), #call)
