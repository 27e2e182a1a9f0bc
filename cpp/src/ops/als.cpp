// Checks the arguments of recocore/als.hpp and hands them to the device's implementation.
#include "recocore/als.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "ops/als_cpu.hpp"
#include "ops/als_cuda.hpp"
#include "recocore/error.hpp"

namespace recocore {
namespace {

void check_range(float value, const char* name) {
  require(std::isfinite(value) && value >= 0,
          [&] { return std::string(name) + ": expected a finite number >= 0, got " + std::to_string(value); });
}

void check_params(const AlsParams& params) {
  check_range(params.regularization, "regularization");
  check_range(params.alpha0, "alpha0");
  check_range(params.nu, "nu");
  require(params.loss != AlsLoss::ratings || params.alpha0 == 0,
          [&] { return "alpha0: expected 0 with explicit ratings, got " + std::to_string(params.alpha0); });
  require(params.negative_preference >= -1 && params.negative_preference <= 0,
          [&] { return "negative_preference: expected -1 to 0, got " + std::to_string(params.negative_preference); });
  require(params.cg_steps >= 1, [&] { return "cg_steps: expected >= 1, got " + std::to_string(params.cg_steps); });
  require(params.block_size >= 1,
          [&] { return "block_size: expected >= 1, got " + std::to_string(params.block_size); });
}

void check_shapes(const CsrView& interactions, std::int64_t rows, std::int64_t cols, std::int64_t row_width,
                  std::int64_t col_width) {
  require(interactions.rows == rows && interactions.cols == cols && row_width == col_width && row_width >= 1, [&] {
    return "factors: expected [" + std::to_string(interactions.rows) + ", f] and [" +
           std::to_string(interactions.cols) + ", f] to match the interactions, got [" + std::to_string(rows) + ", " +
           std::to_string(row_width) + "] and [" + std::to_string(cols) + ", " + std::to_string(col_width) + "]";
  });
}

void check_length(std::size_t got, std::int64_t expected, const char* name) {
  require(got == 0 || got == static_cast<std::size_t>(expected), [&] {
    return std::string(name) + ": expected " + std::to_string(expected) + " elements, got " + std::to_string(got);
  });
}

void check_given(const AlsGiven& given, std::int64_t rows, MatrixView<const float> fixed) {
  const std::int64_t cols = fixed.rows;
  const std::int64_t factors = fixed.cols;
  check_length(given.offsets.size(), cols, "offsets");
  require(given.turned.data == nullptr || given.turned.data == fixed.data,
          [] { return "turned: expected the fixed factors themselves, got others"; });
  for (std::size_t i = 0; i < given.counted.size(); ++i)
    require(
        given.counted[i] >= 0 && given.counted[i] < cols && (i == 0 || given.counted[i - 1] < given.counted[i]),
        [&] { return "counted: expected rising rows of the fixed factors, got " + std::to_string(given.counted[i]); });
  if (given.prior == nullptr) return;
  const auto& [features, weights] = *given.prior;
  validate(features, "features");
  require(features.rows == rows && features.cols == weights.rows && weights.cols == factors, [&] {
    return "features: expected [" + std::to_string(rows) + ", p] and weights [p, " + std::to_string(factors) +
           "], got [" + std::to_string(features.rows) + ", " + std::to_string(features.cols) + "] and [" +
           std::to_string(weights.rows) + ", " + std::to_string(weights.cols) + "]";
  });
}

}  // namespace

AlsInteractions::AlsInteractions(const CsrView& interactions, std::span<const float> weights,
                                 const Execution& execution)
    : view_(interactions), weights_(weights) {
  validate(interactions, "interactions", execution);
  check_length(weights.size(), interactions.nnz(), "weights");
  const auto bad = std::find_if(weights.begin(), weights.end(), [](float w) { return !(w >= 0 && std::isfinite(w)); });
  require(bad == weights.end(), [&] {
    return "weights: expected finite numbers >= 0, got " + std::to_string(*bad) + " at entry " +
           std::to_string(bad - weights.begin());
  });
}

void gram(MatrixView<const float> factors, MatrixView<float> out, const Execution& execution) {
  require(out.rows == factors.cols && out.cols == factors.cols, [&] {
    return "out: expected [" + std::to_string(factors.cols) + ", " + std::to_string(factors.cols) + "], got [" +
           std::to_string(out.rows) + ", " + std::to_string(out.cols) + "]";
  });
  if (execution.device == Device::cuda) return gram_cuda(factors, out, execution);
  gram_cpu(factors, out, execution);
}

AlsReport als_half_epoch(const AlsInteractions& interactions, MatrixView<const float> fixed, MatrixView<float> solved,
                         const AlsParams& params, const Execution& execution, const AlsGiven& given) {
  check_params(params);
  check_shapes(interactions.view(), solved.rows, fixed.rows, solved.cols, fixed.cols);
  check_given(given, solved.rows, fixed);
  if (execution.device == Device::cuda)
    return als_half_epoch_cuda(interactions, fixed, solved, params, execution, given);
  return als_half_epoch_cpu(interactions, fixed, solved, params, execution, given);
}

double als_objective(const AlsInteractions& interactions, MatrixView<const float> row_factors,
                     MatrixView<const float> col_factors, const AlsParams& params, const Execution& execution,
                     std::span<const float> offsets) {
  check_params(params);
  check_shapes(interactions.view(), row_factors.rows, col_factors.rows, row_factors.cols, col_factors.cols);
  check_length(offsets.size(), col_factors.rows, "offsets");
  if (execution.device == Device::cuda)
    return als_objective_cuda(interactions, row_factors, col_factors, params, execution, offsets);
  return als_objective_cpu(interactions, row_factors, col_factors, params, execution, offsets);
}

}  // namespace recocore
