#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "recocore/csr.hpp"
#include "recocore/similarity.hpp"

namespace recocore {

/// What a kind puts in the place of a matrix's values before it multiplies them, so that every product of rows is
/// symmetric: float64 arithmetic on an entry's value and one figure each of its row and its column.
class EntryWeights {
 public:
  /// The matrix must outlive this. O(rows + columns + entries).
  EntryWeights(const CsrView& matrix, const SimilarityParams& params);

  /// Whether entries weigh what they are.
  [[nodiscard]] bool are_values() const noexcept { return form_ == Form::value; }

  [[nodiscard]] double operator()(std::int64_t row, std::int32_t column, float value) const {
    const double x = value;
    switch (form_) {
      case Form::value: break;
      case Form::column_centred: return x - columns_[at(column)];
      case Form::row_centred: return x - rows_[at(row)];
      case Form::tfidf: return std::sqrt(x) * columns_[at(column)];
      case Form::bm25: return x > 0.0 ? x * (k1_ + 1.0) / (rows_[at(row)] + x) * columns_[at(column)] : 0.0;
      case Form::random_walk:
        return x > 0.0 ? std::pow(x / (std::sqrt(rows_[at(row)]) * std::sqrt(columns_[at(column)])), alpha_) : 0.0;
    }
    return x;
  }

  /// Σ w² over a row, in the order of its columns.
  [[nodiscard]] double square(std::int64_t row) const;

  /// Σ w over a row.
  [[nodiscard]] double total(std::int64_t row) const;

  /// Σ x over a row, for the kinds of random walks.
  [[nodiscard]] double row_total(std::int64_t row) const noexcept { return rows_[at(row)]; }

 private:
  enum class Form : std::uint8_t { value, column_centred, row_centred, tfidf, bm25, random_walk };

  template <typename T>
  static std::size_t at(T i) noexcept {
    return static_cast<std::size_t>(i);
  }

  const CsrView& matrix_;
  Form form_ = Form::value;
  double k1_;
  double alpha_;
  std::vector<double> rows_;
  std::vector<double> columns_;
};

}  // namespace recocore
