#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace recocore {

/// Instruction sets that kernels exist for, from the plainest to the widest; each has all of those before it. Kernels
/// that gain nothing from a later one run those of an earlier one.
enum class Isa {
  scalar,
  avx2,         ///< with FMA
  avx512,       ///< F, BW, DQ and VL
  avx512_vnni,  ///< products of bytes summed up in 32 bits
  amx,          ///< tiles of bytes, which the system has to grant a process
};

[[nodiscard]] std::string_view to_string(Isa isa) noexcept;

/// The instruction sets that this build has kernels for and this machine can run.
[[nodiscard]] std::vector<Isa> supported_isas();

/// The instruction set that kernels run on: the widest supported one, or the one that RECOCORE_FORCE_ISA names.
/// Chosen at the first call and kept. Throws Error{unsupported} if the forced one is unknown or this machine lacks it.
[[nodiscard]] Isa active_isa();

/// Whether this build has the CUDA twins.
[[nodiscard]] bool built_with_cuda() noexcept;

/// The number of CUDA devices that can be used; 0 without CUDA.
[[nodiscard]] int cuda_device_count() noexcept;

/// What a CUDA device is.
struct CudaDevice {
  std::string name;
  std::string capability;  ///< for example "8.0"
  std::int64_t memory;     ///< bytes
  std::int64_t free_memory;
  int multiprocessors;
};

/// The present device. Throws Error{unsupported}, saying how to get one, where there is none.
[[nodiscard]] CudaDevice cuda_device();

}  // namespace recocore
