#include "recocore/device.hpp"

#include <algorithm>
#include <cstdlib>
#include <string>

#include "recocore/error.hpp"

namespace recocore {
namespace {

bool machine_runs(Isa isa) {
#if defined(__x86_64__)
  switch (isa) {
    case Isa::scalar: return true;
    case Isa::avx2: return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
    case Isa::avx512:
      return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
             __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0;
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
  }
  return "scalar";
}

std::vector<Isa> supported_isas() {
  std::vector<Isa> supported;
  for (const Isa isa : {Isa::scalar, Isa::avx2, Isa::avx512})
    if (machine_runs(isa)) supported.push_back(isa);
  return supported;
}

Isa active_isa() {
  static const Isa isa = choose();
  return isa;
}

}  // namespace recocore
