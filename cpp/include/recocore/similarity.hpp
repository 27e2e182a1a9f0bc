#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "recocore/csr.hpp"
#include "recocore/thread_pool.hpp"

namespace recocore {

/// How two rows of a sparse matrix are compared. Rows are i and j, a column is u; S_i are the columns stored in row i
/// (a stored zero counts), n_i = |S_i|, n_ij = |S_i ∩ S_j|, df_u the rows stored in column u, N the number of columns,
/// M the number of rows. Sums run over S_i ∩ S_j unless said otherwise. 0/0 is 0.
enum class SimilarityKind : std::uint8_t {
  cosine,                   ///< Σ xy / (|x| |y|), norms over the whole rows
  adjusted_cosine,          ///< cosine after each column's mean (over its stored entries) is taken off its entries
  adjusted_cosine_corated,  ///< the same with norms over the common columns only (Sarwar et al. 2001)
  pearson,                  ///< correlation over the common columns, with means over them; 0 for n_ij < 2
  pearson_whole,            ///< cosine after each row's mean (over its stored entries) is taken off its entries
  jaccard,                  ///< n_ij / (n_i + n_j - n_ij)
  tanimoto,                 ///< Σ xy / (|x|² + |y|² - Σ xy)
  dice,                     ///< 2 n_ij / (n_i + n_j)
  tversky,                  ///< n_ij / (n_ij + alpha (n_i - n_ij) + beta (n_j - n_ij))
  asymmetric_cosine,        ///< Σ xy / (|x|^(2 alpha) |y|^(2 (1 - alpha))) (Aiolli 2013)
  tfidf,                    ///< cosine of √x · idf_u, idf_u = max(0, ln M - ln(1 + df_u))
  bm25,  ///< Σ w_i w_j, w = x (k1 + 1) / (k1 (1 - b + b len_i / mean len) + x) · idf_u, len_i = Σ x of the row; no norm
  lift,  ///< n_ij N / (n_i n_j)
  conditional_probability,  ///< n_ij / n_i: how often j is there when i is
  log_likelihood_ratio,     ///< Dunning's G² of the 2 x 2 table of i and j over the N columns; also high for avoidance
  cooccurrence,             ///< n_ij
  p3alpha,                  ///< Σ (x_iu / Σ_u x_iu)^alpha (x_ju / Σ_j x_ju)^alpha (Cooper et al. 2014)
  rp3beta,                  ///< p3alpha / n_j^beta (Paudel et al. 2017)
};

/// Every kind's name, in the order of the enumeration.
[[nodiscard]] std::span<const std::string_view> similarity_kind_names() noexcept;

/// The kind of a name; throws Error{invalid_argument} listing the names.
[[nodiscard]] SimilarityKind similarity_kind(std::string_view name);

struct SimilarityParams {
  SimilarityKind kind = SimilarityKind::cosine;
  std::optional<std::int64_t> k = 100;  ///< keep the k best of each row; nothing: keep all
  double shrinkage = 0.0;               ///< scores are multiplied by n_ij / (n_ij + shrinkage)
  std::int64_t min_support = 1;         ///< pairs with a smaller n_ij are left out
  std::optional<float> threshold;       ///< scores below are left out; compared in float32
  bool include_self = false;            ///< whether a row may be its own neighbour
  double alpha = 1.0;                   ///< tversky, asymmetric_cosine, p3alpha, rp3beta
  double beta = 1.0;                    ///< tversky, rp3beta
  double k1 = 1.2;                      ///< bm25
  double b = 0.75;                      ///< bm25
};

/// Compares every two rows of `matrix` that share a column: float32 [rows, rows], columns rising in each row. With
/// `rows`, any row numbers in any order, only these are compared with all: row q of the result has the bytes of row
/// rows[q] of the whole, in the time of those rows beside O(entries). A row's best are chosen by score descending, then
/// column ascending. A score of exactly 0 is not stored. Sums are exact integers, or float64 in the order of the
/// columns: a result has the same bytes at every thread count and on every instruction set, and symmetric kinds are
/// exactly symmetric. O(Σ_u df_u²) multiply-adds; beside the result half as much again, 56 MB a thread, 48 bytes a row
/// and 28 a column. Throws Error: invalid_argument for a malformed or not canonical matrix, a row number outside it, a
/// value that is not finite, a negative value where the kind takes none (tfidf, bm25, p3alpha, rp3beta), or a parameter
/// outside its range; out_of_memory before it happens.
[[nodiscard]] CsrMatrix similarity(const CsrView& matrix, const SimilarityParams& params, const Execution& execution,
                                   const std::optional<std::span<const std::int32_t>>& rows = {});

}  // namespace recocore
