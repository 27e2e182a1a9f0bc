#include "recocore/device.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "kernels/dense/kernel.hpp"
#include "kernels/pairs/kernel.hpp"
#include "kernels/scan/kernel.hpp"

TEST_CASE("the kernels that run are those of the active or forced instruction set") {
  const auto supported = recocore::supported_isas();
  CHECK(supported.front() == recocore::Isa::scalar);
  const recocore::Isa active = recocore::active_isa();
  CHECK(std::find(supported.begin(), supported.end(), active) != supported.end());
  CHECK(std::string(recocore::kernels::scan().isa) == recocore::to_string(active));
  const auto plain = recocore::to_string(std::min(active, recocore::Isa::avx512));
  CHECK(std::string(recocore::kernels::dense().isa) == plain);
  CHECK(std::string(recocore::kernels::pairs().isa) == plain);
  if (const char* forced = std::getenv("RECOCORE_FORCE_ISA")) {
    CHECK(recocore::to_string(active) == forced);
  } else {
    CHECK(active == supported.back());
  }
}
