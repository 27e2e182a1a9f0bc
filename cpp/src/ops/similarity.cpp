#include "recocore/similarity.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <string>

#include "base/finite.hpp"
#include "base/stage.hpp"
#include "ops/similarity_cpu.hpp"
#include "ops/similarity_cuda.hpp"
#include "recocore/error.hpp"

namespace recocore {
namespace {

constexpr std::array<std::string_view, 18> kNames{
    "cosine",
    "adjusted_cosine",
    "adjusted_cosine_corated",
    "pearson",
    "pearson_whole",
    "jaccard",
    "tanimoto",
    "dice",
    "tversky",
    "asymmetric_cosine",
    "tfidf",
    "bm25",
    "lift",
    "conditional_probability",
    "log_likelihood_ratio",
    "cooccurrence",
    "p3alpha",
    "rp3beta",
};
static_assert(kNames.size() == static_cast<std::size_t>(SimilarityKind::rp3beta) + 1);

bool needs_nonnegative(SimilarityKind kind) {
  return kind == SimilarityKind::tfidf || kind == SimilarityKind::bm25 || kind == SimilarityKind::p3alpha ||
         kind == SimilarityKind::rp3beta;
}

void require_range(double value, double low, double high, const char* name) {
  require(std::isfinite(value) && low <= value && value <= high, [&] {
    const std::string upper = std::isinf(high) ? "" : " and at most " + std::to_string(high);
    return std::string(name) + ": expected a finite number, at least " + std::to_string(low) + upper + ", got " +
           std::to_string(value);
  });
}

void validate(const SimilarityParams& params) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  require(!params.k || *params.k >= 1,
          [&] { return "k: expected at least 1, or none to keep every neighbour, got " + std::to_string(*params.k); });
  require(params.min_support >= 1,
          [&] { return "min_support: expected at least 1, got " + std::to_string(params.min_support); });
  require(!params.threshold || !std::isnan(*params.threshold),
          [] { return std::string("threshold: expected a number, or none to keep every score, got nan"); });
  require_range(params.shrinkage, 0.0, kInfinity, "shrinkage");
  const bool asymmetric = params.kind == SimilarityKind::asymmetric_cosine;
  require_range(params.alpha, 0.0, asymmetric ? 1.0 : kInfinity, "alpha");
  require_range(params.beta, 0.0, kInfinity, "beta");
  require_range(params.k1, 0.0, kInfinity, "k1");
  require_range(params.b, 0.0, 1.0, "b");
}

void require_canonical(const CsrView& matrix) {
  for (std::int64_t r = 0; r < matrix.rows; ++r) {
    const auto columns = matrix.row(r);
    require(std::adjacent_find(columns.begin(), columns.end(), std::greater_equal<>()) == columns.end(), [&] {
      return "matrix: expected columns that rise in each row, without duplicates, got others in row " +
             std::to_string(r) + "; build it with Csr.from_coo or Csr.from_scipy";
    });
  }
}

/// Whether the matrix is well formed, canonical and finite: a quick look by all threads. Where it is not, the slow one
/// finds the first bad row and says what is wrong with it.
bool looks_valid(const CsrView& matrix, const Execution& execution) {
  constexpr std::int64_t kRowsEachChunk = 256;
  std::atomic<bool> valid = true;
  parallel_for(execution, matrix.rows, kRowsEachChunk, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t r = begin; r < end && valid.load(std::memory_order_relaxed); ++r) {
      const std::int64_t first = matrix.indptr[static_cast<std::size_t>(r)];
      const std::int64_t last = matrix.indptr[static_cast<std::size_t>(r) + 1];
      if (first < 0 || first > last || last > matrix.nnz()) {
        valid = false;
        return;
      }
      const auto columns = matrix.row(r);
      std::uint32_t falls = 0;  // no branch in the loop, so that the compiler makes it a vector loop
      for (std::size_t e = 1; e < columns.size(); ++e) falls |= columns[e - 1] >= columns[e] ? 1U : 0U;
      const bool inside = columns.empty() || (columns.front() >= 0 && columns.back() < matrix.cols);
      if (falls != 0 || !inside || !all_finite(matrix.row_values(r))) valid = false;
    }
  });
  return valid;
}

void require_nonnegative(const CsrView& matrix, SimilarityKind kind) {
  for (std::int64_t r = 0; r < matrix.rows; ++r) {
    for (const float v : matrix.row_values(r)) {
      require(v >= 0.0F, [&] {
        return "matrix: kind " + std::string(kNames[static_cast<std::size_t>(kind)]) +
               " takes values of at least 0, got " + std::to_string(v) + " in row " + std::to_string(r);
      });
    }
  }
}

void require_rows(std::span<const std::int32_t> rows, std::int64_t count) {
  for (std::size_t q = 0; q < rows.size(); ++q) {
    require(rows[q] >= 0 && rows[q] < count, [&] {
      return "rows: expected row numbers in [0, " + std::to_string(count) + "), got " + std::to_string(rows[q]) +
             " at position " + std::to_string(q);
    });
  }
}

}  // namespace

std::span<const std::string_view> similarity_kind_names() noexcept {
  return kNames;
}

SimilarityKind similarity_kind(std::string_view name) {
  const auto* const found = std::find(kNames.begin(), kNames.end(), name);
  require(found != kNames.end(), [&] {
    std::string message = "kind: expected one of";
    for (const std::string_view known : kNames) message += (known == kNames.front() ? " " : ", ") + std::string(known);
    return message + "; got \"" + std::string(name) + "\"";
  });
  return static_cast<SimilarityKind>(found - kNames.begin());
}

CsrMatrix similarity(const CsrView& matrix, const SimilarityParams& params, const Execution& execution,
                     const std::optional<std::span<const std::int32_t>>& rows) {
  validate(params);
  validate_outline(matrix, "matrix");
  require(matrix.rows <= INT32_MAX, [&] {
    return "matrix: expected fewer than 2**31 rows, for they become columns of the result, got " +
           std::to_string(matrix.rows);
  });
  const Stage checking(execution, 0.0, 0.0);
  if (!looks_valid(matrix, checking.execution())) {
    validate(matrix, "matrix");
    require_canonical(matrix);
  }
  if (needs_nonnegative(params.kind)) require_nonnegative(matrix, params.kind);
  if (rows) require_rows(*rows, matrix.rows);
  if (execution.device == Device::cuda) return similarity_cuda(matrix, params, rows, execution);
  return similarity_cpu(matrix, params, rows, execution);
}

}  // namespace recocore
