// What is said where a row of ALS has no solution, on any device.
#pragma once

#include <cstdint>
#include <string>

#include "ops/cholesky.hpp"
#include "recocore/als.hpp"

namespace recocore {

/// `solved` is not yes.
[[nodiscard]] inline std::string als_refusal(Solved solved, std::int64_t row, const AlsParams& params) {
  const std::string where = "the least-squares system of row " + std::to_string(row) +
                            " at regularization = " + std::to_string(params.regularization) +
                            ", alpha0 = " + std::to_string(params.alpha0) + " and nu = " + std::to_string(params.nu);
  if (solved == Solved::singular)
    return "regularization: " + where + " is singular; raise regularization or alpha0, or use fewer factors";
  return "regularization: " + where + " is beyond float32; lower these or the weights of the interactions";
}

}  // namespace recocore
