// Checks the arguments of recocore/topk.hpp and hands them to the device's implementation.
#include "recocore/topk.hpp"

#include <cmath>
#include <string>

#include "base/finite.hpp"
#include "ops/topk_cpu.hpp"
#include "ops/topk_cuda.hpp"
#include "recocore/error.hpp"

namespace recocore {
namespace {

// Rows of a chunk of the check: 512 x 128 floats are 256 KiB, some ten microseconds.
constexpr std::int64_t kCheckGrain = 512;

std::string shape(std::int64_t rows, std::int64_t cols) {
  return "[" + std::to_string(rows) + ", " + std::to_string(cols) + "]";
}

void check_finite(MatrixView<const float> matrix, const char* argument, const Execution& execution) {
  parallel_for(execution, matrix.rows, kCheckGrain, [&](std::int64_t begin, std::int64_t end, int) {
    checkpoint();
    for (std::int64_t r = begin; r < end; ++r) {
      if (all_finite(matrix.row(r))) continue;
      for (const float v : matrix.row(r)) {
        require(std::isfinite(v), [&] {
          return std::string(argument) + ": expected finite values, got " + std::to_string(v) + " in row " +
                 std::to_string(r);
        });
      }
    }
  });
}

void check_shapes(MatrixView<const float> queries, MatrixView<const float> items) {
  require(queries.cols == items.cols, [&] {
    return "items: expected as many columns as queries " + shape(queries.rows, queries.cols) + ", got " +
           shape(items.rows, items.cols);
  });
  require(items.rows <= INT32_MAX,
          [&] { return "items: expected fewer than 2**31 rows, got " + std::to_string(items.rows); });
}

void check_metric(const TopkProblem& problem, Device device) {
  require(device == Device::cuda || problem.metric == Metric::inner_product || problem.codes != nullptr,
          [] { return std::string("metric: expected inner_product for items that are not packed; pack them first"); });
  require(
      device == Device::cuda || (problem.precision != Precision::float16 && problem.precision != Precision::bfloat16),
      [] { return std::string("precision: float16 and bfloat16 need device='cuda'; use auto or float32"); });
}

void check_biases(const TopkProblem& problem) {
  if (problem.biases.empty()) return;
  require(std::ssize(problem.biases) == problem.items.rows, [&] {
    return "biases: expected one for each of the " + std::to_string(problem.items.rows) + " items, got " +
           std::to_string(problem.biases.size());
  });
  require(all_finite(problem.biases),
          [] { return std::string("biases: expected finite values, got NaN or infinity"); });
}

void check_thresholds(const TopkProblem& problem) {
  if (problem.thresholds.empty()) return;
  require(std::ssize(problem.thresholds) == problem.queries.rows, [&] {
    return "thresholds: expected one for each of the " + std::to_string(problem.queries.rows) + " queries, got " +
           std::to_string(problem.thresholds.size());
  });
  for (std::size_t q = 0; q < problem.thresholds.size(); ++q)
    require(!std::isnan(problem.thresholds[q]),
            [&] { return "thresholds: expected numbers, got nan for query " + std::to_string(q); });
}

}  // namespace

void topk(const TopkProblem& problem, const CandidateFilter& filter, MatrixView<std::int32_t> ids,
          MatrixView<float> scores, const Execution& execution) {
  const auto& queries = problem.queries;
  check_shapes(queries, problem.items);
  if (execution.memory == Memory::host) {
    check_finite(queries, "queries", execution);
    // Packing has looked at every value.
    if (problem.codes == nullptr) check_finite(problem.items, "items", execution);
  }
  check_metric(problem, execution.device);
  check_biases(problem);
  check_thresholds(problem);
  validate(filter, queries.rows, problem.items.rows);
  require(ids.rows == queries.rows && scores.rows == queries.rows && ids.cols == scores.cols, [&] {
    return "ids, scores: expected [" + std::to_string(queries.rows) + ", k] both, got " + shape(ids.rows, ids.cols) +
           " and " + shape(scores.rows, scores.cols);
  });
  if (execution.device == Device::cuda) return topk_cuda(problem, filter, ids, scores, execution);
  topk_cpu(problem, filter, ids, scores, execution);
}

void score_all(MatrixView<const float> queries, MatrixView<const float> items, MatrixView<float> scores,
               const Execution& execution) {
  check_shapes(queries, items);
  if (execution.memory == Memory::host) {
    check_finite(queries, "queries", execution);
    check_finite(items, "items", execution);
  }
  require(scores.rows == queries.rows && scores.cols == items.rows, [&] {
    return "scores: expected " + shape(queries.rows, items.rows) + ", got " + shape(scores.rows, scores.cols);
  });
  if (execution.device == Device::cuda) return score_all_cuda(queries, items, scores, execution);
  score_all_cpu(queries, items, scores, execution);
}

}  // namespace recocore
