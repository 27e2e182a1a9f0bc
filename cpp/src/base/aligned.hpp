// Memory for the kernels' matrices.
#pragma once

#include <cstdint>
#include <memory>
#include <new>

namespace recocore {

/// Zeroed floats that start on a cache line.
class AlignedFloats {
 public:
  AlignedFloats() = default;
  explicit AlignedFloats(std::int64_t count) { resize(count); }

  /// Room for at least `count` floats. Where there was too little the old ones are lost and all are zero.
  void resize(std::int64_t count);

  [[nodiscard]] float* data() noexcept { return data_.get(); }
  [[nodiscard]] const float* data() const noexcept { return data_.get(); }

 private:
  static constexpr std::align_val_t kAlignment{64};
  struct Free {
    void operator()(float* p) const noexcept { ::operator delete(p, kAlignment); }
  };

  std::unique_ptr<float, Free> data_;
  std::int64_t count_ = 0;
};

}  // namespace recocore
