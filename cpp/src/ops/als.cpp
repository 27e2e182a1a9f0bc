// Checks the arguments of recocore/als.hpp and hands them to the device's implementation.
#include "recocore/als.hpp"

#include <cmath>
#include <string>

#include "ops/als_cpu.hpp"
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

}  // namespace

AlsInteractions::AlsInteractions(const CsrView& interactions) : view_(interactions) {
  validate(interactions, "interactions");
}

void gram(MatrixView<const float> factors, MatrixView<float> out, const Execution& execution) {
  require(out.rows == factors.cols && out.cols == factors.cols, [&] {
    return "out: expected [" + std::to_string(factors.cols) + ", " + std::to_string(factors.cols) + "], got [" +
           std::to_string(out.rows) + ", " + std::to_string(out.cols) + "]";
  });
  gram_cpu(factors, out, execution);
}

AlsReport als_half_epoch(const AlsInteractions& interactions, MatrixView<const float> fixed, MatrixView<float> solved,
                         const AlsParams& params, const Execution& execution) {
  check_params(params);
  check_shapes(interactions.view(), solved.rows, fixed.rows, solved.cols, fixed.cols);
  return als_half_epoch_cpu(interactions.view(), fixed, solved, params, execution);
}

double als_objective(const AlsInteractions& interactions, MatrixView<const float> row_factors,
                     MatrixView<const float> col_factors, const AlsParams& params, const Execution& execution) {
  check_params(params);
  check_shapes(interactions.view(), row_factors.rows, col_factors.rows, row_factors.cols, col_factors.cols);
  return als_objective_cpu(interactions.view(), row_factors, col_factors, params, execution);
}

}  // namespace recocore
