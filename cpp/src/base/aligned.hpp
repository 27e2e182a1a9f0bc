// Memory for the kernels' matrices.
#pragma once

#include <cstdint>

#include "base/big_array.hpp"

namespace recocore {

/// Zeroed floats that start on a cache line.
class AlignedFloats {
 public:
  AlignedFloats() = default;
  explicit AlignedFloats(std::int64_t count) { resize(count); }

  /// Room for at least `count` floats. Where there was too little the old ones are lost and all are zero.
  void resize(std::int64_t count);

  [[nodiscard]] float* data() noexcept { return floats_.data(); }
  [[nodiscard]] const float* data() const noexcept { return floats_.data(); }

 private:
  BigArray<float> floats_;
  std::int64_t count_ = 0;
};

}  // namespace recocore
