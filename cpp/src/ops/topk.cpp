// Checks the arguments of recocore/topk.hpp and hands them to the device's implementation.
#include "recocore/topk.hpp"

#include <cmath>
#include <string>

#include "base/finite.hpp"
#include "ops/topk_cpu.hpp"
#include "recocore/error.hpp"

namespace recocore {
namespace {

std::string shape(std::int64_t rows, std::int64_t cols) {
  return "[" + std::to_string(rows) + ", " + std::to_string(cols) + "]";
}

void check_finite(MatrixView<const float> matrix, const char* argument) {
  for (std::int64_t r = 0; r < matrix.rows; ++r) {
    if (all_finite(matrix.row(r))) continue;
    for (const float v : matrix.row(r)) {
      require(std::isfinite(v), [&] {
        return std::string(argument) + ": expected finite values, got " + std::to_string(v) + " in row " +
               std::to_string(r);
      });
    }
  }
}

void check_factors(MatrixView<const float> queries, MatrixView<const float> items) {
  require(queries.cols == items.cols, [&] {
    return "items: expected as many columns as queries " + shape(queries.rows, queries.cols) + ", got " +
           shape(items.rows, items.cols);
  });
  require(items.rows <= INT32_MAX,
          [&] { return "items: expected fewer than 2**31 rows, got " + std::to_string(items.rows); });
  check_finite(queries, "queries");
  check_finite(items, "items");
}

}  // namespace

void topk(MatrixView<const float> queries, MatrixView<const float> items, const CandidateFilter& filter,
          MatrixView<std::int32_t> ids, MatrixView<float> scores, const Execution& execution) {
  check_factors(queries, items);
  validate(filter, queries.rows, items.rows);
  require(ids.rows == queries.rows && scores.rows == queries.rows && ids.cols == scores.cols, [&] {
    return "ids, scores: expected [" + std::to_string(queries.rows) + ", k] both, got " + shape(ids.rows, ids.cols) +
           " and " + shape(scores.rows, scores.cols);
  });
  topk_cpu(queries, items, filter, ids, scores, execution);
}

void score_all(MatrixView<const float> queries, MatrixView<const float> items, MatrixView<float> scores,
               const Execution& execution) {
  check_factors(queries, items);
  require(scores.rows == queries.rows && scores.cols == items.rows, [&] {
    return "scores: expected " + shape(queries.rows, items.rows) + ", got " + shape(scores.rows, scores.cols);
  });
  score_all_cpu(queries, items, scores, execution);
}

}  // namespace recocore
