#include "base/aligned.hpp"

#include <algorithm>

namespace recocore {

void AlignedFloats::resize(std::int64_t count) {
  if (count <= count_) return;
  std::fill_n(floats_.resize(count), count, 0.0F);
  count_ = count;
}

}  // namespace recocore
