#include "recocore/matmul_topk.hpp"

#include <cmath>
#include <string>
#include <vector>

#include "ops/matmul_topk_cpu.hpp"
#include "ops/similarity_cuda.hpp"
#include "recocore/error.hpp"

namespace recocore {
namespace {

void require_matching(const CsrView& a, const CsrView& b) {
  require(a.cols == b.rows, [&] {
    return "b: expected " + std::to_string(a.cols) + " rows, one for each column of a, got " + std::to_string(b.rows);
  });
}

/// Checks what the queries reach: their rows of a, and once each the rows of b that those name.
void validate_reached(const CsrView& a, const std::optional<std::span<const std::int32_t>>& a_rows, const CsrView& b,
                      std::int64_t n_queries) {
  std::vector<bool> checked(static_cast<std::size_t>(b.rows), false);
  for (std::int64_t query = 0; query < n_queries; ++query) {
    const std::int64_t row = a_rows ? (*a_rows)[static_cast<std::size_t>(query)] : query;
    require(row >= 0 && row < a.rows, [&] {
      return "a_rows: expected row numbers in [0, " + std::to_string(a.rows) + "), got " + std::to_string(row) +
             " at position " + std::to_string(query);
    });
    validate_row(a, row, "a");
    for (const std::int32_t c : a.row(row)) {
      if (checked[static_cast<std::size_t>(c)]) continue;
      validate_row(b, c, "b");
      checked[static_cast<std::size_t>(c)] = true;
    }
  }
}

}  // namespace

CsrMatrix matmul_topk(const CsrView& a, const CsrView& b, const MatmulTopkParams& params, const Execution& execution) {
  require(!params.k || *params.k >= 1,
          [&] { return "k: expected at least 1, or none to keep every entry, got " + std::to_string(*params.k); });
  require(!params.threshold || !std::isnan(*params.threshold),
          [] { return std::string("threshold: expected a number, or none to keep every entry, got nan"); });
  validate(a, "a");
  validate(b, "b");
  require_matching(a, b);
  if (execution.device == Device::cuda) return matmul_topk_cuda(a, b, params, execution);
  return matmul_topk_cpu(a, b, params, execution);
}

void matmul_topk_padded(const CsrView& a, const std::optional<std::span<const std::int32_t>>& a_rows, const CsrView& b,
                        const CandidateFilter& filter, const MatrixView<std::int32_t>& ids,
                        const MatrixView<float>& scores, const Execution& execution) {
  const std::int64_t n_queries = a_rows ? std::ssize(*a_rows) : a.rows;
  require(ids.rows == n_queries && scores.rows == n_queries && ids.cols == scores.cols, [&] {
    return "ids, scores: expected " + std::to_string(n_queries) + " rows of one width, got " +
           std::to_string(ids.rows) + " x " + std::to_string(ids.cols) + " and " + std::to_string(scores.rows) + " x " +
           std::to_string(scores.cols);
  });
  validate_outline(a, "a");
  validate_outline(b, "b");
  require_matching(a, b);
  validate_reached(a, a_rows, b, n_queries);
  validate(filter, n_queries, b.cols);
  matmul_topk_padded_cpu(a, a_rows, b, filter, ids, scores, execution);
}

}  // namespace recocore
