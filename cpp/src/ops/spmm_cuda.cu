#include "ops/spmm_cuda.hpp"

#include <algorithm>
#include <vector>

#include "cuda/buffer.hpp"
#include "cuda/matrix.hpp"
#include "cuda/progress.hpp"
#include "cuda/stream.hpp"
#include "ops/cuda/spmm.cuh"

namespace recocore {

using namespace cuda;

void spmm_cuda(const CsrView& sparse, MatrixView<const float> dense, MatrixView<float> out,
               const Execution& execution) {
  require_device();
  // Entries and results that are on the device at a time.
  constexpr std::int64_t kChunkEntries = 16'777'216;
  constexpr std::int64_t kChunkFloats = 67'108'864;
  const auto at = [](std::int64_t i) { return static_cast<std::size_t>(i); };
  const Stream own(execution.stream);
  const StreamHandle stream = own.handle();
  Progress progress(execution, stream);
  const bool on_device = execution.memory == Memory::device;
  const DeviceMatrix factors(dense, on_device, stream);
  const std::int64_t width = std::max<std::int64_t>(dense.cols, 1);
  const std::int64_t entries = chunk_that_fits(kChunkEntries, 16, 0, "spmm");
  const std::int64_t most_rows =
      chunk_that_fits(std::max<std::int64_t>(kChunkFloats / width, 1), 16 * width, 0, "spmm");
  for (std::int64_t first = 0; first < sparse.rows;) {
    const std::int64_t from = sparse.indptr[at(first)];
    std::int64_t count = 1;
    while (first + count < sparse.rows && count < most_rows && sparse.indptr[at(first + count + 1)] - from <= entries)
      ++count;
    const auto chunk = at(sparse.indptr[at(first + count)] - from);
    std::vector<long long> begin(at(count + 1));
    for (std::int64_t r = 0; r <= count; ++r) begin[at(r)] = sparse.indptr[at(first + r)] - from;
    const Buffer<long long> device_begin = uploaded<long long>(begin, stream);
    const Buffer<std::int32_t> columns = uploaded<std::int32_t>(sparse.indices.subspan(at(from), chunk), stream);
    const Buffer<float> values = uploaded<float>(sparse.values.subspan(at(from), chunk), stream);
    const Buffer<float> sums(on_device ? 0 : count * dense.cols, stream);
    launch(multiply_sparse, count, stream, SparseRows{device_begin.data(), columns.data(), values.data(), count},
           factors.data(), factors.stride(), dense.cols, on_device ? out.data + first * out.stride : sums.data(),
           on_device ? out.stride : dense.cols);
    if (on_device) {
      synchronize(stream);  // the chunk's arrays end here
    } else {
      download_rows(sums, out, first, count);
    }
    first += count;
    progress.report(static_cast<double>(first) / static_cast<double>(sparse.rows));
  }
}

}  // namespace recocore
