// Linked in place of the CUDA sources when the build has no CUDA.
#include "ops/als_cuda.hpp"
#include "ops/similarity_cuda.hpp"
#include "ops/spmm_cuda.hpp"
#include "ops/topk_cuda.hpp"
#include "recocore/device.hpp"
#include "recocore/device_memory.hpp"
#include "recocore/error.hpp"

namespace recocore {
namespace {

[[noreturn]] void refuse() {
  throw Error(ErrorCode::unsupported,
              "device: this build has no CUDA operations; build them with "
              "pip install --config-settings=cmake.define.RECOCORE_CUDA=ON, or use device='cpu'");
}

}  // namespace

bool built_with_cuda() noexcept {
  return false;
}

int cuda_device_count() noexcept {
  return 0;
}

CudaDevice cuda_device() {
  refuse();
}

void* device_allocate(std::int64_t, CudaStream) {
  refuse();
}

void device_release(void*, CudaStream) noexcept {}

void device_upload(void*, const void*, std::int64_t, CudaStream) {
  refuse();
}

void device_download(void*, const void*, std::int64_t, CudaStream) {
  refuse();
}

void device_wait_for(CudaStream, CudaStream) {
  refuse();
}

void topk_cuda(const TopkProblem&, const CandidateFilter&, MatrixView<std::int32_t>, MatrixView<float>,
               const Execution&) {
  refuse();
}

void score_all_cuda(MatrixView<const float>, MatrixView<const float>, MatrixView<float>, const Execution&) {
  refuse();
}

void gram_cuda(MatrixView<const float>, MatrixView<float>, const Execution&) {
  refuse();
}

AlsReport als_half_epoch_cuda(const AlsInteractions&, MatrixView<const float>, MatrixView<float>, const AlsParams&,
                              const Execution&, const AlsGiven&) {
  refuse();
}

double als_objective_cuda(const AlsInteractions&, MatrixView<const float>, MatrixView<const float>, const AlsParams&,
                          const Execution&, std::span<const float>) {
  refuse();
}

CsrMatrix similarity_cuda(const CsrView&, const SimilarityParams&, const std::optional<std::span<const std::int32_t>>&,
                          const Execution&) {
  refuse();
}

CsrMatrix matmul_topk_cuda(const CsrView&, const CsrView&, const MatmulTopkParams&, const Execution&) {
  refuse();
}

void spmm_cuda(const CsrView&, MatrixView<const float>, MatrixView<float>, const Execution&) {
  refuse();
}

}  // namespace recocore
