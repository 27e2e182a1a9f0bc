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
    const float largest = largest_of(query);
    const bool coded = largest >= kLeastCoded;
    const float scale = coded ? largest / static_cast<float>(levels) : 1;
    const float inverse = coded ? static_cast<float>(levels) / largest : 0;
    std::uint8_t* out = codes_.data() + (q - begin) / lanes * size_ + (q - begin) % lanes * 4;
    // In strides of four, as the codes stand, and as many sums, so that the compiler may take them together.
    double squared_errors[4] = {};
    for (std::size_t d = 0; d < query.size(); d += 4, out += 4 * lanes) {
      const std::size_t some = std::min<std::size_t>(query.size() - d, 4);
      for (std::size_t i = 0; i < some; ++i) {
        const float value = query[d + i];
        const float code = (value * inverse + kRound) - kRound;
        out[i] = static_cast<std::uint8_t>(static_cast<std::int32_t>(code) + offset);
        const double left = static_cast<double>(value) - static_cast<double>(code) * scale;
        squared_errors[i] += left * left;
      }
    }
    const double squared_error = squared_errors[0] + squared_errors[1] + squared_errors[2] + squared_errors[3];
    scales_[static_cast<std::size_t>(q - begin)] = {scale, std::sqrt(squared_error)};
  }
}

}  // namespace recocore
