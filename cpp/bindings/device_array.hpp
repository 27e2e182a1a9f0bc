// Arrays on the CUDA device, from Python and to it, without copies.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "recocore/device_memory.hpp"
#include "recocore/thread_pool.hpp"
#include "recocore/views.hpp"

namespace recocore::bindings {

namespace py = pybind11;

/// Device memory of our own as a C-contiguous array of float32 or int32, which CuPy, torch and others take by
/// `__cuda_array_interface__` or DLPack.
class DeviceArray {
 public:
  /// `type` is 'f' or 'i'. Throws Error{unsupported} without CUDA.
  DeviceArray(std::vector<std::int64_t> shape, char type, CudaStream stream);

  [[nodiscard]] static DeviceArray from_host(const py::array& array, CudaStream stream);
  [[nodiscard]] py::array to_host() const;
  [[nodiscard]] py::dict interface() const;
  /// `self` is the Python object of `array`: the capsule keeps it alive.
  [[nodiscard]] static py::capsule dlpack(const py::object& self);

  [[nodiscard]] const std::vector<std::int64_t>& shape() const noexcept { return shape_; }
  [[nodiscard]] const char* type_string() const noexcept { return type_ == 'f' ? "<f4" : "<i4"; }

  template <typename T>
  [[nodiscard]] MatrixView<T> matrix() const {
    return {static_cast<T*>(memory_.get()), shape_[0], shape_[1]};
  }

 private:
  [[nodiscard]] std::int64_t bytes() const noexcept;

  std::vector<std::int64_t> shape_;
  char type_;
  CudaStream stream_;
  std::shared_ptr<void> memory_;
};

/// A float32 matrix of somebody else's on the device, kept alive.
class DeviceMatrixArgument {
 public:
  /// `object` has `__cuda_array_interface__` or gives a DLPack capsule of a CUDA device. Throws
  /// Error{invalid_argument} naming the argument unless it is a 2-d float32 array whose rows are contiguous.
  DeviceMatrixArgument(const py::object& object, const char* argument);

  [[nodiscard]] MatrixView<float> view() const noexcept { return view_; }
  [[nodiscard]] MatrixView<const float> const_view() const noexcept {
    MatrixView<const float> view(view_.data, view_.rows, view_.cols);
    view.stride = view_.stride;
    return view;
  }
  /// The stream on which it was made, where it says so.
  [[nodiscard]] std::optional<CudaStream> stream() const noexcept { return stream_; }

 private:
  void take_interface(const py::object& object, const char* argument);
  void take_dlpack(const py::object& object, const char* argument);

  MatrixView<float> view_;
  std::optional<CudaStream> stream_;
  py::object owner_;
  std::shared_ptr<void> tensor_;  // a DLPack tensor, given back at the end
};

/// Whether the object is an array on a CUDA device.
[[nodiscard]] bool is_on_device(const py::object& object);

/// How to run from the arguments `device` and `stream`, for matrices of the host.
[[nodiscard]] Execution execution_on(const std::string& device, const std::optional<CudaStream>& stream,
                                     int num_threads);

/// The same for matrices on the device: on the stream named, or on that of the first matrix, which then waits for the
/// others'. Throws Error{invalid_argument} unless `device` is "cuda".
[[nodiscard]] Execution execution_with(const std::string& device, const std::optional<CudaStream>& stream,
                                       std::initializer_list<const DeviceMatrixArgument*> matrices);

}  // namespace recocore::bindings
