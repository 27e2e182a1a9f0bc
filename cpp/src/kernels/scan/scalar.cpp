// The reference for the other files of this folder: plain loops, compiled with the build's baseline flags.
#include "kernels/scan/kernel.hpp"

namespace recocore::kernels {
namespace scalar {
namespace {

constexpr std::int32_t kQueryLevels = 127;

std::int64_t scan_f32(const float* items, std::int64_t stride, const std::int32_t* rows, const float* biases,
                      std::int64_t count, std::int64_t f, const float* panel, const float* bars, Hit* hits) noexcept {
  Hit* out = hits;
  for (std::int64_t r = 0; r < count; ++r) {
    const float* item = items + stride * (rows == nullptr ? r : rows[r]);
    float sums[kQueryLanes];
    for (float& sum : sums) sum = biases == nullptr ? 0 : biases[r];
    for (std::int64_t d = 0; d < f; ++d)
      for (std::int64_t lane = 0; lane < kQueryLanes; ++lane) sums[lane] += item[d] * panel[d * kQueryLanes + lane];
    for (std::int64_t lane = 0; lane < kQueryLanes; ++lane)
      if (!(sums[lane] < bars[lane])) *out++ = {static_cast<std::int32_t>(r), static_cast<std::int32_t>(lane)};
  }
  return out - hits;
}

const std::int8_t* codes_of(const CodeRows& rows, std::int64_t r) noexcept {
  return rows.codes + rows.stride * (rows.positions == nullptr ? r : rows.positions[r]);
}

bool reaches(const CodeRows& rows, std::int64_t r, const CodeBars& bars, std::int64_t lane, float sum) noexcept {
  const float bias = rows.biases == nullptr ? 0 : rows.biases[r];
  const float bar = bars.bars[lane] - bars.by_error[lane] * rows.errors[r] - bars.by_norm[lane] * rows.norms[r] -
                    bars.by_bias[lane] * bias;
  return !(sum < bar * rows.inverse_scales[r]);
}

/// Products of a row with the queries of a panel.
void sum_up(const CodeRows& rows, std::int64_t r, const std::uint8_t* panel,
            std::int32_t (&sums)[kQueryLanes]) noexcept {
  const std::int8_t* item = codes_of(rows, r);
  for (std::int32_t& sum : sums) sum = -(kQueryLevels + 1) * rows.code_sums[r];
  for (std::int64_t d = 0; d < rows.stride; ++d)
    for (std::int64_t lane = 0; lane < kQueryLanes; ++lane)
      sums[lane] += item[d] * panel[(d / 4 * kQueryLanes + lane) * 4 + d % 4];
}

std::int64_t scan_panel(const CodeRows& rows, std::int64_t count, const std::uint8_t* panel, const CodeBars& bars,
                        Hit* hits) noexcept {
  Hit* out = hits;
  for (std::int64_t r = 0; r < count; ++r) {
    std::int32_t sums[kQueryLanes];
    sum_up(rows, r, panel, sums);
    for (std::int64_t lane = 0; lane < kQueryLanes; ++lane)
      if (reaches(rows, r, bars, lane, static_cast<float>(sums[lane])))
        *out++ = {static_cast<std::int32_t>(r), static_cast<std::int32_t>(lane)};
  }
  return out - hits;
}

void scan_codes(const CodeRows& rows, std::int64_t count, PanelScan* panels, std::int64_t n) noexcept {
  for (PanelScan* each = panels; each != panels + n; ++each)
    each->found = scan_panel(rows, count, each->panel, *each->bars, each->hits);
}

/// What a pair scores at least, in the units of its query's codes; -inf where that cannot be told.
float least_of(const CodeRows& rows, std::int64_t r, const CodeBars& bars, std::int64_t lane, float sum) noexcept {
  const float bias = rows.biases == nullptr ? 0 : bars.by_bias[lane] * rows.biases[r];
  const float by_error = bars.by_error[lane] + kLeastMargin * bars.by_error[lane];
  // A product is no larger than the lengths of what both codes hold.
  const float by_norm = bars.by_norm[lane] + kLeastMargin * (bars.by_error[lane] + bars.by_norm[lane]);
  const float least = sum / rows.inverse_scales[r] - by_error * rows.errors[r] - by_norm * rows.norms[r] +
                      (bias - kLeastMargin * __builtin_fabsf(bias)) - kLeastStep;
  return least < kMostTold ? least : -__builtin_inff();
}

void best_codes(const CodeRows& rows, std::int64_t count, const std::uint8_t* panel, const CodeBars& bars,
                std::int64_t group, float* best) noexcept {
  for (std::int64_t first = 0; first < count; first += group, best += kQueryLanes) {
    for (std::int64_t lane = 0; lane < kQueryLanes; ++lane) best[lane] = -__builtin_inff();
    for (std::int64_t r = first; r < count && r < first + group; ++r) {
      std::int32_t sums[kQueryLanes];
      sum_up(rows, r, panel, sums);
      for (std::int64_t lane = 0; lane < kQueryLanes; ++lane) {
        const float least = least_of(rows, r, bars, lane, static_cast<float>(sums[lane]));
        best[lane] = least > best[lane] ? least : best[lane];
      }
    }
  }
}

std::int64_t scan_codes_one(const CodeRows& rows, std::int64_t count, const std::uint8_t* query, const CodeBars& bars,
                            Hit* hits) noexcept {
  Hit* out = hits;
  for (std::int64_t r = 0; r < count; ++r) {
    const std::int8_t* item = codes_of(rows, r);
    std::int32_t total = -(kQueryLevels + 1) * rows.code_sums[r];
    for (std::int64_t d = 0; d < rows.stride; ++d) total += item[d] * query[d];
    if (reaches(rows, r, bars, 0, static_cast<float>(total))) *out++ = {static_cast<std::int32_t>(r), 0};
  }
  return out - hits;
}

}  // namespace
}  // namespace scalar

const ScanKernels scan_scalar{
    "scalar",           scalar::kQueryLevels, scalar::kQueryLevels + 1, false, 4, scalar::scan_f32,
    scalar::scan_codes, scalar::best_codes,   scalar::scan_codes_one};

}  // namespace recocore::kernels
