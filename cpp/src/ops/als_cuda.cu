#include "ops/als_cuda.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "cuda/buffer.hpp"
#include "cuda/matrix.hpp"
#include "cuda/progress.hpp"
#include "cuda/stream.hpp"
#include "ops/als_cpu.hpp"
#include "ops/als_plan.hpp"
#include "ops/als_refusal.hpp"
#include "ops/cuda/als_basis.cuh"
#include "ops/cuda/als_chunk.cuh"
#include "ops/cuda/als_rows.cuh"
#include "ops/cuda/spmm.cuh"
#include "recocore/error.hpp"

namespace recocore {
namespace {

using namespace cuda;

// Entries from which on a row's system is summed up by many blocks.
constexpr std::int64_t kHeadEntries = 4096;
// Rows for the dual that repay finding the eigenbasis, which the host does: about 100 f^3 multiplications for n f^2
// each.
constexpr std::int64_t kDualRows = 256;
// Entries and rows that are on the device at a time: some 100 MB, enough to keep it busy for long.
constexpr std::int64_t kChunkEntries = 8'388'608;
constexpr std::int64_t kChunkRows = 262'144;

/// The rows of a chunk, by the way each is solved.
struct Bins {
  std::vector<std::int32_t> duals;
  std::vector<std::int32_t> others;
  std::vector<std::int32_t> heads;
};

class HalfEpoch {
 public:
  HalfEpoch(const AlsInteractions& interactions, MatrixView<const float> fixed, MatrixView<float> solved,
            const AlsParams& params, const Execution& execution, const AlsGiven& given)
      : interactions_(interactions),
        solved_(solved),
        params_(params),
        given_(given),
        on_device_(execution.memory == Memory::device),
        others_(fixed.rows),
        stream_(execution.stream),
        progress_(execution, stream_.handle()),
        basis_(fixed, given.counted, params.alpha0, wants_rotation(fixed.cols), execution, stream_.handle()),
        offsets_(uploaded<float>(given.offsets, stream_.handle())) {
    if (given.prior != nullptr) {
      const DeviceMatrix weights(given.prior->weights, false, stream_.handle());
      feature_weights_ = Buffer<float>(given.prior->weights.rows * fixed.cols, stream_.handle());
      basis_.enter(weights.data(), weights.stride(), given.prior->weights.rows, feature_weights_.data());
      synchronize(stream_.handle());
    }
  }

  AlsReport run() {
    const CsrView& all = interactions_.view();
    const std::int64_t f = solved_.cols;
    // An entry takes 4 bytes each of column, value, weight, pull and prediction; a row its factors twice.
    const std::int64_t blocks = 4 * std::int64_t{multiprocessors()};
    const std::int64_t width = block_width();
    const std::int64_t fixed_bytes = (blocks + 2) * width * width * 4 + f * f * 4;
    const std::int64_t entries = chunk_that_fits(kChunkEntries, 24, fixed_bytes, name());
    const std::int64_t rows =
        std::max<std::int64_t>(1, chunk_that_fits(kChunkRows, 12 * f + 32, fixed_bytes, name()) / 2);
    workspace_ = Buffer<float>(blocks * width * width, stream_.handle());
    for (std::int64_t first = 0; first < all.rows;) {
      const std::int64_t count = rows_of_chunk(all, first, std::max<std::int64_t>(entries / 2, 1), rows);
      solve(first, count);
      first += count;
      progress_.report(static_cast<double>(first) / static_cast<double>(all.rows));
    }
    synchronize(stream_.handle());
    report_.flops += static_cast<double>(others_) * static_cast<double>(f) * static_cast<double>(f + 1);
    return report_;
  }

 private:
  [[nodiscard]] std::string name() const { return "an ALS epoch with " + std::to_string(solved_.cols) + " factors"; }
  [[nodiscard]] bool goes_on() const {  // from present factors
    return params_.solver == AlsSolver::cg || params_.solver == AlsSolver::subspace;
  }
  [[nodiscard]] std::int64_t block_width() const {
    return params_.solver == AlsSolver::subspace ? std::min(solved_.cols, padded(params_.block_size)) : solved_.cols;
  }

  [[nodiscard]] bool wants_rotation(std::int64_t factors) const {
    if (goes_on()) return true;
    const CsrView& all = interactions_.view();
    std::int64_t duals = 0;
    for (std::int64_t r = 0; r < all.rows && duals < kDualRows; ++r) {
      const std::int64_t entries = std::ssize(all.row(r));
      if (entries > 0 && entries <= kDualEntries && entries < factors) ++duals;
    }
    return duals >= kDualRows;
  }

  [[nodiscard]] bool fits_dual(std::int64_t row, std::int64_t entries, double lambda) const {
    if (goes_on() || !basis_.is_rotated() || entries > kDualEntries || entries >= solved_.cols) return false;
    // An entry without weight that pulls all the same has a place in the primal only; and where D is rounding error,
    // the primal says whether the system is singular.
    if (params_.loss == AlsLoss::original && has_entry_without_weight(row, entries)) return false;
    return basis_.least() + lambda > (basis_.most() + lambda) * 1e-6;
  }

  [[nodiscard]] bool has_entry_without_weight(std::int64_t row, std::int64_t entries) const {
    const auto first = interactions_.view().indptr[at(row)];
    const auto has_zero = [&](std::span<const float> factors) {
      const auto own = factors.subspan(at(first), at(entries));
      return std::find(own.begin(), own.end(), 0.0F) != own.end();
    };
    return has_zero(interactions_.view().values) ||
           (!interactions_.weights().empty() && has_zero(interactions_.weights()));
  }

  Bins bins_of(const AlsChunk& chunk, const std::vector<double>& lambdas) {
    Bins bins;
    for (std::int64_t r = 0; r < chunk.count; ++r) {
      const std::int64_t entries = chunk.entries(r);
      const auto row = static_cast<std::int32_t>(r);
      if (entries == 0) {
        ++report_.empty;
      } else if (fits_dual(chunk.first + r, entries, lambdas[at(r)])) {
        bins.duals.push_back(row);
        ++report_.dual;
        report_.flops += dual_flops(entries, solved_.cols);
      } else if (params_.solver == AlsSolver::cg) {
        bins.others.push_back(row);
        ++report_.cg;
        report_.flops += cg_flops(entries, solved_.cols, params_.cg_steps);
      } else if (params_.solver == AlsSolver::subspace) {
        bins.others.push_back(row);
        ++report_.subspace;
        report_.flops += subspace_flops(entries, solved_.cols, params_.block_size);
      } else {
        (entries >= kHeadEntries ? bins.heads : bins.others).push_back(row);
        ++report_.primal;
        report_.flops += primal_flops(entries, solved_.cols);
      }
    }
    // Blocks take rows in turn: the longest first, so that none is left alone with one at the end.
    const auto longer = [&](std::int32_t a, std::int32_t b) { return chunk.entries(a) > chunk.entries(b); };
    std::stable_sort(bins.others.begin(), bins.others.end(), longer);
    return bins;
  }

  void solve(std::int64_t first, std::int64_t count) {
    const StreamHandle stream = stream_.handle();
    const std::int64_t f = solved_.cols;
    const AlsChunk chunk(interactions_, first, count, params_, offsets_, stream);
    std::vector<double> lambdas(at(count));
    for (std::int64_t r = 0; r < count; ++r) {
      lambdas[at(r)] = row_lambda(params_, chunk.entries(r), others_);
      require(chunk.entries(r) == 0 || lambdas[at(r)] <= double{std::numeric_limits<float>::max()},
              [&] { return als_refusal(Solved::overflow, first + r, params_); });
    }
    const Bins bins = bins_of(chunk, lambdas);
    const Buffer<double> device_lambdas = uploaded<double>(lambdas, stream);
    Buffer<float> x(count * f, stream);
    x.fill_zero();  // rows without entries
    if (goes_on()) start_from_present(first, count, bins, x);
    const Buffer<float> priors = prior_of(first, count);
    Buffer<float> predictions;
    if (goes_on()) predictions = Buffer<float>(chunk.columns.size(), stream);

    AlsRowsView rows = chunk.view();
    rows.lambdas = device_lambdas.data();
    rows.priors = given_.prior == nullptr ? nullptr : priors.data();
    rows.x = x.data();
    rows.predictions = predictions.data();
    Buffer<unsigned long long> failed(1, stream);
    const unsigned long long none = ~0ULL;
    failed.upload({&none, 1});
    const Buffer<std::int32_t> duals = uploaded<std::int32_t>(bins.duals, stream);
    const Buffer<std::int32_t> others = uploaded<std::int32_t>(bins.others, stream);
    const Buffer<std::int32_t> heads = uploaded<std::int32_t>(bins.heads, stream);
    launch_with_shared(solve_duals, duals.size(), 2 * f * 4, stream, basis_.view(), rows,
                       AlsTask{duals.data(), duals.size(), failed.data()});
    const AlsTask task{others.data(), others.size(), failed.data()};
    if (params_.solver == AlsSolver::cg) {
      launch_with_shared(improve_by_gradient, task.count, 3 * f * 4, stream, basis_.view(), rows, task,
                         params_.cg_steps);
    } else {
      const std::int64_t width = block_width();
      launch_with_shared(solve_blocks, std::min(task.count, workspace_.size() / (width * width)), width * 4, stream,
                         basis_.view(), rows, task, width, workspace_.data());
    }
    for (std::size_t h = 0; h < bins.heads.size(); ++h)
      solve_head_row(chunk, bins.heads[h], rows, {heads.data() + h, 1, failed.data()});
    const unsigned long long worst = failed.to_host()[0];
    require(worst == none, [&] {
      return als_refusal(static_cast<Solved>(worst % 4), first + static_cast<std::int64_t>(worst / 4), params_);
    });
    hand_out(x, first, count);
  }

  void solve_head_row(const AlsChunk& chunk, std::int32_t row, const AlsRowsView& rows, const AlsTask& task) {
    const long long begin = chunk.begin_host[at(row)];
    const AlsBasisView basis = basis_.view();
    sum_outer_products(
        {basis.fixed, basis.width, basis.width, rows.columns + begin, rows.weights + begin, chunk.entries(row)}, 1.0F,
        workspace_.data(), stream_.handle());
    launch_with_shared(solve_head, 1, basis.width * 4, stream_.handle(), basis, rows, task, workspace_.data());
  }

  /// The present factors of rows with entries, in the basis.
  void start_from_present(std::int64_t first, std::int64_t count, const Bins& bins, Buffer<float>& x) {
    const std::int64_t f = solved_.cols;
    const StreamHandle stream = stream_.handle();
    MatrixView<const float> present(solved_.data, solved_.rows, f);
    present.stride = solved_.stride;
    Buffer<float> copied;
    if (!on_device_) copied = upload_rows(present, first, count, stream);
    const float* from = on_device_ ? solved_.data + first * solved_.stride : copied.data();
    const std::int64_t stride = on_device_ ? solved_.stride : f;
    Buffer<float> turned(count * f, stream);
    basis_.enter(from, stride, count, turned.data());
    const Buffer<std::int32_t> rows = uploaded<std::int32_t>(bins.others, stream);
    launch(copy_some_rows, rows.size(), stream, turned.data(), rows.data(), rows.size(), f, x.data());
    synchronize(stream);
  }

  /// What the features of the rows say, in the basis; nothing without a prior.
  Buffer<float> prior_of(std::int64_t first, std::int64_t count) {
    if (given_.prior == nullptr) return {};
    const StreamHandle stream = stream_.handle();
    const CsrView& features = given_.prior->features;
    const std::int64_t from = features.indptr[at(first)];
    const auto entries = at(features.indptr[at(first + count)] - from);
    std::vector<long long> begin(at(count + 1));
    for (std::int64_t r = 0; r <= count; ++r) begin[at(r)] = features.indptr[at(first + r)] - from;
    const Buffer<long long> device_begin = uploaded<long long>(begin, stream);
    const Buffer<std::int32_t> columns = uploaded<std::int32_t>(features.indices.subspan(at(from), entries), stream);
    const Buffer<float> values = uploaded<float>(features.values.subspan(at(from), entries), stream);
    Buffer<float> priors(count * solved_.cols, stream);
    launch(multiply_sparse, count, stream, SparseRows{device_begin.data(), columns.data(), values.data(), count},
           feature_weights_.data(), solved_.cols, solved_.cols, priors.data(), solved_.cols);
    synchronize(stream);
    return priors;
  }

  void hand_out(const Buffer<float>& x, std::int64_t first, std::int64_t count) {
    if (on_device_) {
      basis_.leave(x.data(), count, solved_.data + first * solved_.stride, solved_.stride);
      return;
    }
    const Buffer<float> out(count * solved_.cols, stream_.handle());
    basis_.leave(x.data(), count, out.data(), solved_.cols);
    download_rows(out, solved_, first, count);
  }

  const AlsInteractions& interactions_;
  MatrixView<float> solved_;
  const AlsParams& params_;
  const AlsGiven& given_;
  bool on_device_;
  std::int64_t others_;
  Stream stream_;
  Progress progress_;
  AlsBasis basis_;
  Buffer<float> offsets_;
  Buffer<float> feature_weights_;
  Buffer<float> workspace_;
  AlsReport report_;
};

/// The squares of each row's length, on the host.
std::vector<double> squares_of(const DeviceMatrix& matrix, std::int64_t rows, std::int64_t width, StreamHandle stream) {
  const Buffer<double> squares(rows, stream);
  launch(sum_squares, rows, stream, matrix.data(), matrix.stride(), rows, width, squares.data());
  return squares.to_host();
}

std::vector<float> gram_of(const DeviceMatrix& matrix, std::int64_t rows, std::int64_t width, StreamHandle stream) {
  const Buffer<float> sums(width * width, stream);
  sum_outer_products({matrix.data(), matrix.stride(), width, nullptr, nullptr, rows}, 1.0F, sums.data(), stream);
  return sums.to_host();
}

}  // namespace

void gram_cuda(MatrixView<const float> factors, MatrixView<float> out, const Execution& execution) {
  require_device();
  if (out.cols == 0) return;
  const Stream stream(execution.stream);
  const bool on_device = execution.memory == Memory::device;
  const DeviceMatrix matrix(factors, on_device, stream.handle());
  const Buffer<float> sums(out.cols * out.cols, stream.handle());
  sum_outer_products({matrix.data(), matrix.stride(), out.cols, nullptr, nullptr, factors.rows}, 1.0F, sums.data(),
                     stream.handle());
  if (on_device)
    launch(copy_rows, blocks_for(sums.size()), stream.handle(), sums.data(), out.cols, out.cols, out.cols, out.data,
           out.stride);
  else
    download_rows(sums, out, 0, out.cols);
  synchronize(stream.handle());
}

AlsReport als_half_epoch_cuda(const AlsInteractions& interactions, MatrixView<const float> fixed,
                              MatrixView<float> solved, const AlsParams& params, const Execution& execution,
                              const AlsGiven& given) {
  require_device();
  return HalfEpoch(interactions, fixed, solved, params, execution, given).run();
}

double als_objective_cuda(const AlsInteractions& checked, MatrixView<const float> row_factors,
                          MatrixView<const float> col_factors, const AlsParams& params, const Execution& execution,
                          std::span<const float> offsets) {
  require_device();
  const CsrView& interactions = checked.view();
  const Stream own(execution.stream);
  const StreamHandle stream = own.handle();
  const bool on_device = execution.memory == Memory::device;
  const std::int64_t f = row_factors.cols;
  const DeviceMatrix rows(row_factors, on_device, stream);
  const DeviceMatrix cols(col_factors, on_device, stream);
  const Buffer<float> packed_rows(row_factors.rows * f, stream);
  const Buffer<float> packed_cols(col_factors.rows * f, stream);
  launch(copy_rows, blocks_for(packed_rows.size()), stream, rows.data(), rows.stride(), row_factors.rows, f,
         packed_rows.data(), f);
  launch(copy_rows, blocks_for(packed_cols.size()), stream, cols.data(), cols.stride(), col_factors.rows, f,
         packed_cols.data(), f);
  const Buffer<float> device_offsets = uploaded<float>(offsets, stream);
  Progress progress(execution, stream);
  double loss = 0;
  for (std::int64_t first = 0; first < interactions.rows;) {
    const std::int64_t count = rows_of_chunk(
        interactions, first, std::max<std::int64_t>(1, chunk_that_fits(kChunkEntries, 24, 0, "the ALS objective") / 2),
        kChunkRows);
    const AlsChunk chunk(checked, first, count, params, device_offsets, stream);
    AlsRowsView view = chunk.view();
    view.x = packed_rows.data() + first * f;
    const Buffer<double> losses(count, stream);
    launch(sum_losses, count, stream, loss_of(params), double{params.alpha0}, double{params.negative_preference},
           AlsBasisView{packed_cols.data(), f, nullptr, nullptr}, view, chunk.values.data(), device_offsets.data(),
           count, losses.data());
    for (const double l : losses.to_host()) loss += l;
    first += count;
    progress.report(static_cast<double>(first) / static_cast<double>(interactions.rows));
  }
  // The sum over all pairs of (x.y)^2 is the inner product of the two Gram matrices.
  double all_pairs = 0;
  if (params.alpha0 > 0) {
    const std::vector<float> row_gram = gram_of(rows, row_factors.rows, f, stream);
    const std::vector<float> col_gram = gram_of(cols, col_factors.rows, f, stream);
    for (std::size_t i = 0; i < row_gram.size(); ++i) all_pairs += double{row_gram[i]} * double{col_gram[i]};
  }
  const std::vector<double> row_squares = squares_of(rows, row_factors.rows, f, stream);
  const std::vector<double> col_squares = squares_of(cols, col_factors.rows, f, stream);
  std::vector<std::int64_t> col_entries(at(interactions.cols), 0);
  for (const std::int32_t c : interactions.indices) ++col_entries[at(c)];
  double ridge = 0;
  for (std::int64_t r = 0; r < interactions.rows; ++r)
    ridge += row_lambda(params, std::ssize(interactions.row(r)), interactions.cols) * row_squares[at(r)];
  for (std::int64_t c = 0; c < interactions.cols; ++c)
    ridge += row_lambda(params, col_entries[at(c)], interactions.rows) * col_squares[at(c)];
  return loss + double{params.alpha0} * all_pairs + ridge;
}

}  // namespace recocore
