// Products of rows: whole calls, host code included, on the execution layer and on the CPU; the same answers at sizes
// around those of warps and tiles, with few blocks a grid and little memory. The address sanitizer sees every access.
#include <doctest/doctest.h>

#include <optional>
#include <vector>

#include "cuda/made.hpp"
#include "cuda/settings.hpp"
#include "recocore/matmul_topk.hpp"
#include "recocore/similarity.hpp"
#include "recocore/spmm.hpp"

namespace recocore::cuda {

TEST_CASE("similarity has the CPU's bytes where no logarithm is taken") {
  const ScopedSettings restore;
  for (const std::uint64_t seed : {1, 2}) {
    exec::settings().seed = seed;
    exec::settings().most_blocks = seed == 2 ? 2 : 2147483647;
    for (const std::int64_t rows : {31, 80}) {
      if ((rows == 80) != (seed == 2)) continue;
      const CsrMatrix data = scattered(rows, 64, rows == 80 ? 0.05 : 0.15, 7, rows == 31);
      for (int kind = 0; kind < static_cast<int>(similarity_kind_names().size()); ++kind) {
        SimilarityParams params;
        params.kind = static_cast<SimilarityKind>(kind);
        params.k = kind % 2 == 0 ? std::optional<std::int64_t>(5) : std::nullopt;
        params.shrinkage = kind % 3 == 0 ? 1.5 : 0.0;
        params.include_self = kind % 4 == 0;
        const CsrMatrix expected = similarity(data.view(), params, kCpu);
        const CsrMatrix found = similarity(data.view(), params, kCuda);
        CHECK(found.indptr == expected.indptr);
        if (params.kind != SimilarityKind::log_likelihood_ratio) CHECK(found.indices == expected.indices);
        if (params.kind != SimilarityKind::log_likelihood_ratio) CHECK(found.values == expected.values);
      }
    }
  }
}

TEST_CASE("a row that meets more partners than a table holds is summed up in an array") {
  const CsrMatrix data = scattered(2200, 40, 0.05, 7, true);
  const std::vector<std::int32_t> rows{1, 0, 5};
  for (const SimilarityKind kind : {SimilarityKind::cosine, SimilarityKind::jaccard, SimilarityKind::pearson}) {
    SimilarityParams params;
    params.kind = kind;
    params.k = 1100;
    const CsrMatrix expected = similarity(data.view(), params, kCpu, rows);
    const CsrMatrix found = similarity(data.view(), params, kCuda, rows);
    CHECK(found.indptr == expected.indptr);
    CHECK(found.indices == expected.indices);
    CHECK(found.values == expected.values);
  }
}

TEST_CASE("products of sparse matrices have the CPU's bytes") {
  const CsrMatrix a = scattered(70, 50, 0.2, 1, true);
  const CsrMatrix b = scattered(50, 90, 0.1, 2);
  for (const std::optional<std::int64_t>& k : {std::optional<std::int64_t>(3), std::optional<std::int64_t>()}) {
    const CsrMatrix expected = matmul_topk(a.view(), b.view(), {k, 0.5F}, kCpu);
    const CsrMatrix found = matmul_topk(a.view(), b.view(), {k, 0.5F}, kCuda);
    CHECK(found.indptr == expected.indptr);
    CHECK(found.indices == expected.indices);
    CHECK(found.values == expected.values);
  }
  const auto dense = reals(50 * 33, 3);
  std::vector<float> expected(70 * 33);
  auto found = expected;
  spmm(a.view(), {dense.data(), 50, 33}, {expected.data(), 70, 33}, kCpu);
  spmm(a.view(), {dense.data(), 50, 33}, {found.data(), 70, 33}, kCuda);
  CHECK(found == expected);
}

}  // namespace recocore::cuda
