#include "recocore/device.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <algorithm>
#include <cstdlib>
#include <string>

#include "recocore/error.hpp"

namespace recocore {
namespace {

#if defined(__x86_64__)
/// Asks Linux for the registers of AMX, which a process does not have until it asks; without them tiles fault.
bool tiles_granted() {
#if defined(__linux__)
  constexpr long kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM of <asm/prctl.h>, which older headers lack
  constexpr long kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

/// Leaf 7 of CPUID: AMX's tiles and bytes in EDX. GCC 12 knows no name for them in __builtin_cpu_supports.
bool has_tiles() {
  constexpr unsigned kTiles = 0x01000000;
  constexpr unsigned kBytes = 0x02000000;
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d & kTiles) != 0 && (d & kBytes) != 0;
}
#endif

bool machine_runs(Isa isa) {
#if defined(__x86_64__)
  switch (isa) {
    case Isa::scalar: return true;
    case Isa::avx2: return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
    case Isa::avx512:
      return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
             __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0;
    case Isa::avx512_vnni: return machine_runs(Isa::avx512) && __builtin_cpu_supports("avx512vnni") != 0;
    case Isa::amx: return machine_runs(Isa::avx512_vnni) && has_tiles() && tiles_granted();
  }
#endif
  return isa == Isa::scalar;
}

std::string names(const std::vector<Isa>& isas) {
  std::string joined;
  for (const Isa isa : isas) joined += (joined.empty() ? "" : ", ") + std::string(to_string(isa));
  return joined;
}

Isa choose() {
  const std::vector<Isa> supported = supported_isas();
  const char* forced = std::getenv("RECOCORE_FORCE_ISA");
  if (forced == nullptr || *forced == '\0') return supported.back();
  const auto match = std::find_if(supported.begin(), supported.end(),
                                  [&](Isa isa) { return to_string(isa) == std::string_view(forced); });
  if (match == supported.end())
    throw Error(ErrorCode::unsupported, "RECOCORE_FORCE_ISA: expected one that this machine runs (" + names(supported) +
                                            "), got \"" + forced + "\"; unset it to choose by itself");
  return *match;
}

}  // namespace

std::string_view to_string(Isa isa) noexcept {
  switch (isa) {
    case Isa::scalar: return "scalar";
    case Isa::avx2: return "avx2";
    case Isa::avx512: return "avx512";
    case Isa::avx512_vnni: return "avx512_vnni";
    case Isa::amx: return "amx";
  }
  return "scalar";
}

std::vector<Isa> supported_isas() {
  std::vector<Isa> supported;
  for (const Isa isa : {Isa::scalar, Isa::avx2, Isa::avx512, Isa::avx512_vnni, Isa::amx})
    if (machine_runs(isa)) supported.push_back(isa);
  return supported;
}

Isa active_isa() {
  static const Isa isa = choose();
  return isa;
}

}  // namespace recocore
