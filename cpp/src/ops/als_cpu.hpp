// The CPU implementation of recocore/als.hpp; arguments are already checked.
#pragma once

#include <cmath>

#include "recocore/als.hpp"

namespace recocore {

void gram_cpu(MatrixView<const float> factors, MatrixView<float> out, const Execution& execution);

AlsReport als_half_epoch_cpu(const AlsInteractions& interactions, MatrixView<const float> fixed,
                             MatrixView<float> solved, const AlsParams& params, const Execution& execution,
                             const AlsGiven& given);

[[nodiscard]] double als_objective_cpu(const AlsInteractions& interactions, MatrixView<const float> row_factors,
                                       MatrixView<const float> col_factors, const AlsParams& params,
                                       const Execution& execution, std::span<const float> offsets);

/// lambda_row of the objective.
[[nodiscard]] inline double row_lambda(const AlsParams& params, std::int64_t entries, std::int64_t others) {
  const double mass = static_cast<double>(entries) + double{params.alpha0} * static_cast<double>(others);
  return double{params.regularization} * std::pow(mass, double{params.nu});
}

/// p of an entry of this value in an implicit loss.
[[nodiscard]] inline float preference(const AlsParams& params, float value) noexcept {
  return value < 0 ? params.negative_preference : 1.0F;
}

/// How much the factors of an entry of weight w count in its row's right side, sum of pull y: what it weighs in an
/// implicit loss times its preference.
[[nodiscard]] inline float pull(const AlsParams& params, float value, float weight) noexcept {
  return preference(params, value) * (params.loss == AlsLoss::original ? params.alpha0 + weight : weight);
}

}  // namespace recocore
