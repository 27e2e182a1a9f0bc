#include "base/aligned.hpp"

#include <algorithm>
#include <cstddef>

namespace recocore {

void AlignedFloats::resize(std::int64_t count) {
  if (count <= count_) return;
  const auto wanted = static_cast<std::size_t>(count);
  data_.reset(static_cast<float*>(::operator new(wanted * sizeof(float), kAlignment)));
  std::fill_n(data_.get(), wanted, 0.0F);
  count_ = count;
}

}  // namespace recocore
