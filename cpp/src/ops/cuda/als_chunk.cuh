// The interactions of an ALS half-epoch on the device, as many rows at a time as fit.
#pragma once

#include <cstdint>
#include <vector>

#include "cuda/buffer.hpp"
#include "ops/als_cpu.hpp"
#include "ops/cuda/als_basis.cuh"
#include "ops/cuda/als_rows.cuh"

namespace recocore::cuda {

inline EntryLoss loss_of(const AlsParams& params) {
  if (params.loss == AlsLoss::ratings) return EntryLoss::ratings;
  return params.loss == AlsLoss::original ? EntryLoss::original : EntryLoss::ials;
}

/// Some consecutive rows of the interactions, on the device.
struct AlsChunk {
  std::int64_t first;
  std::int64_t count;
  std::vector<long long> begin_host;
  Buffer<long long> begin;
  Buffer<std::int32_t> columns;
  Buffer<float> values;
  Buffer<float> weights;
  Buffer<float> pulls;

  AlsChunk(const AlsInteractions& interactions, std::int64_t first_row, std::int64_t rows, const AlsParams& params,
           const Buffer<float>& offsets, StreamHandle stream)
      : first(first_row), count(rows), begin_host(at(rows + 1)) {
    const CsrView& all = interactions.view();
    const std::int64_t from = all.indptr[at(first)];
    const std::int64_t entries = all.indptr[at(first + rows)] - from;
    for (std::int64_t r = 0; r <= rows; ++r) begin_host[at(r)] = all.indptr[at(first + r)] - from;
    begin = uploaded<long long>(begin_host, stream);
    columns = uploaded<std::int32_t>(all.indices.subspan(at(from), at(entries)), stream);
    values = uploaded<float>(all.values.subspan(at(from), at(entries)), stream);
    Buffer<float> given;
    if (!interactions.weights().empty())
      given = uploaded<float>(interactions.weights().subspan(at(from), at(entries)), stream);
    weights = Buffer<float>(entries, stream);
    pulls = Buffer<float>(entries, stream);
    launch(weigh_entries, blocks_for(entries), stream, loss_of(params), params.alpha0, params.negative_preference,
           values.data(), given.data(), offsets.data(), columns.data(), entries, weights.data(), pulls.data());
  }

  [[nodiscard]] std::int64_t entries(std::int64_t row) const { return begin_host[at(row + 1)] - begin_host[at(row)]; }
  [[nodiscard]] AlsRowsView view() const {
    return {begin.data(), columns.data(), weights.data(), pulls.data(), nullptr, nullptr, nullptr, nullptr};
  }
};

/// The rows from `first` on that are on the device together: as many entries as fit, and one row at least.
inline std::int64_t rows_of_chunk(const CsrView& interactions, std::int64_t first, std::int64_t most_entries,
                                  std::int64_t most_rows) {
  const std::int64_t from = interactions.indptr[at(first)];
  std::int64_t rows = 1;
  while (first + rows < interactions.rows && rows < most_rows &&
         interactions.indptr[at(first + rows + 1)] - from <= most_entries)
    ++rows;
  return rows;
}

}  // namespace recocore::cuda
