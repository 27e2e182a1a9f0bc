#include "recocore/anomaly/feature_matrix.hpp"

#include <cmath>
#include <limits>
#include <string>

#include "recocore/error.hpp"

namespace recocore {
namespace {

template <typename T>
[[noreturn]] void refuse_infinite(const MatrixView<const T>& view, std::int64_t begin, std::int64_t end) {
  for (std::int64_t r = begin; r < end; ++r)
    for (std::int64_t j = 0; j < view.cols; ++j)
      if (std::isinf(view.data[r * view.stride + j]))
        throw Error(ErrorCode::invalid_argument,
                    "X: expected finite values, or NaN for a missing one, got an infinite one at row " +
                        std::to_string(r) + ", feature " + std::to_string(j));
  throw Error(ErrorCode::internal, "X: changed while it was read");
}

/// Copies rows with element (r, j) at out[(r - begin) * row_step + j * column_step].
template <typename T>
bool copy(const MatrixView<const T>& view, std::int64_t begin, std::int64_t end, double* out, std::int64_t row_step,
          std::int64_t column_step) {
  bool missing = false;
  bool infinite = false;
  for (std::int64_t r = begin; r < end; ++r) {
    const T* row = view.data + r * view.stride;
    double* to = out + (r - begin) * row_step;
    for (std::int64_t j = 0; j < view.cols; ++j) {
      const T value = row[j];
      missing |= value != value;
      infinite |= std::abs(value) > std::numeric_limits<T>::max();
      to[j * column_step] = static_cast<double>(value);
    }
  }
  if (infinite) refuse_infinite(view, begin, end);
  return missing;
}

}  // namespace

std::int64_t FeatureMatrix::rows() const noexcept {
  return std::visit([](const auto& view) { return view.rows; }, view_);
}

std::int64_t FeatureMatrix::cols() const noexcept {
  return std::visit([](const auto& view) { return view.cols; }, view_);
}

bool FeatureMatrix::read_rows(std::int64_t begin, std::int64_t end, double* out) const {
  return std::visit([&](const auto& view) { return copy(view, begin, end, out, view.cols, 1); }, view_);
}

bool FeatureMatrix::read_columns(std::int64_t begin, std::int64_t end, double* out, std::int64_t stride) const {
  return std::visit([&](const auto& view) { return copy(view, begin, end, out, 1, stride); }, view_);
}

void FeatureMatrix::require_features(std::int64_t cols) const {
  require(this->cols() == cols, [&] {
    return "X: expected " + std::to_string(cols) + " features, as in fit, got " + std::to_string(this->cols());
  });
}

}  // namespace recocore
