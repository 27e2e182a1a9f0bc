// Queries in the forms that scans take, kQueryLanes side by side.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/aligned.hpp"
#include "base/big_array.hpp"
#include "kernels/scan/kernel.hpp"
#include "ops/topk/query_bounds.hpp"
#include "recocore/views.hpp"

namespace recocore {

inline std::int64_t panels_of(std::int64_t queries) noexcept {
  return (queries + kernels::kQueryLanes - 1) / kernels::kQueryLanes;
}

/// Floats: element (d, lane) of a panel is value d of its query. Lanes without a query are zeros.
class FloatPanels {
 public:
  void pack(MatrixView<const float> queries, std::int64_t begin, std::int64_t end);
  [[nodiscard]] const float* panel(std::int64_t p) const noexcept { return values_.data() + p * size_; }

 private:
  AlignedFloats values_;
  std::int64_t size_ = 0;
};

/// A query's codes: query = code * scale, nearly.
struct QueryScale {
  float scale = 1;
  double error = 0;  ///< the length of what the codes leave out
};

/// Codes in groups of four: element (d / 4, lane, d % 4) of a panel is code d of its query.
class CodePanels {
 public:
  /// Panels of queries [begin, end), or, for a single one, its codes alone.
  void pack(MatrixView<const float> queries, std::int64_t begin, std::int64_t end, std::int64_t stride,
            std::int32_t levels, std::int32_t offset);
  [[nodiscard]] const std::uint8_t* panel(std::int64_t p) const noexcept { return codes_.data() + p * size_; }
  [[nodiscard]] const QueryScale& scale(std::int64_t query) const noexcept {
    return scales_[static_cast<std::size_t>(query)];
  }

 private:
  BigArray<std::uint8_t> codes_;
  std::vector<QueryScale> scales_;
  std::int64_t size_ = 0;
};

}  // namespace recocore
