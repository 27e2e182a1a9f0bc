#include "ops/spmm_cpu.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "base/per_worker.hpp"

namespace recocore {

void spmm_cpu(const CsrView& sparse, MatrixView<const float> dense, MatrixView<float> out, const Execution& execution) {
  constexpr std::int64_t kRowsEachChunk = 16;
  const auto width = static_cast<std::size_t>(dense.cols);
  PerWorker<std::vector<double>> workers(execution);
  parallel_for(execution, sparse.rows, kRowsEachChunk, [&](std::int64_t begin, std::int64_t end, int worker) {
    std::vector<double>& sums = workers.get(worker, [width] { return std::vector<double>(width); });
    for (std::int64_t r = begin; r < end; ++r) {
      checkpoint();
      std::fill(sums.begin(), sums.end(), 0.0);
      const auto columns = sparse.row(r);
      const auto values = sparse.row_values(r);
      for (std::size_t e = 0; e < columns.size(); ++e) {
        const double value = values[e];
        const auto row = dense.row(columns[e]);
        for (std::size_t c = 0; c < width; ++c) sums[c] += value * double{row[c]};
      }
      std::transform(sums.begin(), sums.end(), out.row(r).begin(), [](double v) { return static_cast<float>(v); });
    }
  });
}

}  // namespace recocore
