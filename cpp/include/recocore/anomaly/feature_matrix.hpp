#pragma once

#include <cstdint>
#include <variant>

#include "recocore/views.hpp"

namespace recocore {

/// Rows of features [n, f] as callers have them, float32 or float64; what reads them reads float64, which is exact. NaN
/// says that a feature is missing; an infinite value is refused when it is read.
class FeatureMatrix {
 public:
  FeatureMatrix(MatrixView<const float> rows) : view_(rows) {}   // NOLINT(google-explicit-constructor)
  FeatureMatrix(MatrixView<const double> rows) : view_(rows) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] std::int64_t rows() const noexcept;
  [[nodiscard]] std::int64_t cols() const noexcept;

  /// Copies rows [begin, end) to `out` [end - begin, cols]; says whether a value is missing. Throws
  /// Error{invalid_argument} naming row and feature of an infinite value.
  bool read_rows(std::int64_t begin, std::int64_t end, double* out) const;

  /// The same, transposed: feature j of row r goes to out[j * stride + r - begin].
  bool read_columns(std::int64_t begin, std::int64_t end, double* out, std::int64_t stride) const;

  /// Throws Error{invalid_argument} unless there are `cols` features.
  void require_features(std::int64_t cols) const;

 private:
  std::variant<MatrixView<const float>, MatrixView<const double>> view_;
};

/// Rows that a loop over rows takes together: their values stay in the nearest caches.
constexpr std::int64_t kRowBlock = 512;

}  // namespace recocore
