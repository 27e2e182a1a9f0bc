// What the operations are tested on: the same on the execution layer and on the CPU.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "recocore/csr.hpp"
#include "recocore/thread_pool.hpp"

namespace recocore::cuda {

inline const Execution kCpu{1};
inline const Execution kCuda{1, nullptr, Device::cuda};

inline std::vector<float> integers(std::int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& v : values) v = static_cast<float>(static_cast<int>(random() % 7) - 3);
  return values;
}

inline std::vector<float> reals(std::int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 0.3F);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& v : values) v = normal(random);
  return values;
}

/// A matrix with an empty row, and row 1 full where `has_head`.
inline CsrMatrix scattered(std::int64_t rows, std::int64_t cols, double density, unsigned seed, bool has_head = false) {
  std::mt19937 random(seed);
  CsrMatrix matrix{rows, cols, {0}, {}, {}};
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < cols; ++c) {
      const bool is_there = r != 0 && ((has_head && r == 1) || static_cast<double>(random() % 10'000) < 1e4 * density);
      if (!is_there) continue;
      matrix.indices.push_back(static_cast<std::int32_t>(c));
      matrix.values.push_back(0.25F * static_cast<float>(1 + random() % 11));
    }
    matrix.indptr.push_back(std::ssize(matrix.indices));
  }
  return matrix;
}

/// The largest distance of two values at the same place.
inline double difference(const std::vector<float>& a, const std::vector<float>& b) {
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    most = std::max(most, std::fabs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  return a.size() == b.size() ? most : INFINITY;
}

}  // namespace recocore::cuda
