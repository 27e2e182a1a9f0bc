#include "ops/topk/query_panels.hpp"

#include <algorithm>
#include <cmath>

namespace recocore {
namespace {

using kernels::kQueryLanes;

}  // namespace

void FloatPanels::pack(MatrixView<const float> queries, std::int64_t begin, std::int64_t end) {
  size_ = queries.cols * kQueryLanes;
  const std::int64_t panels = panels_of(end - begin);
  values_.resize(panels * size_);
  std::fill_n(values_.data() + (panels - 1) * size_, size_, 0.0F);
  for (std::int64_t q = begin; q < end; ++q) {
    float* out = values_.data() + (q - begin) / kQueryLanes * size_ + (q - begin) % kQueryLanes;
    for (const float v : queries.row(q)) {
      *out = v;
      out += kQueryLanes;
    }
  }
}

void CodePanels::pack(MatrixView<const float> queries, std::int64_t begin, std::int64_t end, std::int64_t stride,
                      std::int32_t levels, std::int32_t offset) {
  const std::int64_t count = end - begin;
  const std::int64_t lanes = count == 1 ? 1 : kQueryLanes;
  size_ = stride * lanes;
  const std::int64_t panels = (count + lanes - 1) / lanes;
  codes_.resize(panels * size_);
  std::fill_n(codes_.data(), panels * size_, static_cast<std::uint8_t>(offset));
  scales_.assign(static_cast<std::size_t>(count), {});
  for (std::int64_t q = begin; q < end; ++q) {
    const auto query = queries.row(q);
    float largest = 0;
    for (const float v : query) largest = std::max(largest, std::fabs(v));
    const bool coded = largest >= kLeastCoded;
    const float scale = coded ? largest / static_cast<float>(levels) : 1;
    const float inverse = coded ? static_cast<float>(levels) / largest : 0;
    std::uint8_t* out = codes_.data() + (q - begin) / lanes * size_ + (q - begin) % lanes * 4;
    double squared_error = 0;
    for (std::int64_t d = 0; d < std::ssize(query); ++d) {
      const float value = query[static_cast<std::size_t>(d)];
      const auto code = static_cast<std::int32_t>(std::nearbyint(value * inverse));
      out[d / 4 * 4 * lanes + d % 4] = static_cast<std::uint8_t>(code + offset);
      const double left = static_cast<double>(value) - static_cast<double>(code) * scale;
      squared_error += left * left;
    }
    scales_[static_cast<std::size_t>(q - begin)] = {scale, std::sqrt(squared_error)};
  }
}

}  // namespace recocore
