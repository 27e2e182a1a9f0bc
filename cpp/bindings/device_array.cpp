#include "device_array.hpp"

#include <pybind11/stl.h>

#include <utility>

#include "dlpack.hpp"
#include "recocore/error.hpp"

namespace recocore::bindings {
namespace {

constexpr const char* kCapsule = "dltensor";
constexpr const char* kUsedCapsule = "used_dltensor";

std::string type_name(const py::object& object) {
  return py::str(py::type::of(object).attr("__name__"));
}

[[noreturn]] void refuse(const char* argument, const std::string& got) {
  throw Error(ErrorCode::invalid_argument,
              std::string(argument) + ": expected a 2-d array of float32 on the device, rows contiguous, got " + got);
}

/// What a DLPack capsule of ours keeps.
struct Exported {
  DlManagedTensor managed;
  std::vector<std::int64_t> shape;
  PyObject* owner;
};

void end_export(DlManagedTensor* managed) {
  auto* exported = static_cast<Exported*>(managed->context);
  const py::gil_scoped_acquire gil;
  Py_DECREF(exported->owner);
  delete exported;
}

void end_capsule(PyObject* capsule) {
  if (PyCapsule_IsValid(capsule, kCapsule) == 0) return;  // somebody took it, and ends it
  auto* managed = static_cast<DlManagedTensor*>(PyCapsule_GetPointer(capsule, kCapsule));
  managed->deleter(managed);
}

}  // namespace

DeviceArray::DeviceArray(std::vector<std::int64_t> shape, char type, CudaStream stream)
    : shape_(std::move(shape)), type_(type), stream_(stream) {
  for (const std::int64_t length : shape_)
    require(length >= 0, [&] { return "shape: expected lengths >= 0, got " + std::to_string(length); });
  memory_ = std::shared_ptr<void>(device_allocate(bytes(), stream), [stream](void* p) { device_release(p, stream); });
}

std::int64_t DeviceArray::bytes() const noexcept {
  std::int64_t count = 4;
  for (const std::int64_t length : shape_) count *= length;
  return count;
}

DeviceArray DeviceArray::from_host(const py::array& array, CudaStream stream) {
  const char kind = array.dtype().kind();
  require((kind == 'f' || kind == 'i') && array.itemsize() == 4 && (array.flags() & py::array::c_style) != 0, [&] {
    return "array: expected a C-contiguous array of float32 or int32, got " + std::string(py::str(array.dtype()));
  });
  DeviceArray made({array.shape(), array.shape() + array.ndim()}, kind, stream);
  device_upload(made.memory_.get(), array.data(), made.bytes(), stream);
  return made;
}

py::array DeviceArray::to_host() const {
  py::array array(py::dtype(type_ == 'f' ? "float32" : "int32"), shape_);
  device_download(array.mutable_data(), memory_.get(), bytes(), stream_);
  return array;
}

py::dict DeviceArray::interface() const {
  py::dict described;
  described["shape"] = py::tuple(py::cast(shape_));
  described["typestr"] = type_string();
  described["data"] = py::make_tuple(reinterpret_cast<std::uintptr_t>(memory_.get()), false);
  described["strides"] = py::none();
  described["version"] = 3;
  described["stream"] = py::none();  // every operation has ended when it returns
  return described;
}

py::capsule DeviceArray::dlpack(const py::object& self) {
  const auto& array = self.cast<const DeviceArray&>();
  auto* exported = new Exported{{}, array.shape_, self.ptr()};
  Py_INCREF(exported->owner);
  exported->managed.tensor = {array.memory_.get(),
                              {kDlCuda, 0},
                              static_cast<std::int32_t>(exported->shape.size()),
                              {array.type_ == 'f' ? kDlFloat : kDlInt, 32, 1},
                              exported->shape.data(),
                              nullptr,
                              0};
  exported->managed.context = exported;
  exported->managed.deleter = &end_export;
  return py::reinterpret_steal<py::capsule>(PyCapsule_New(&exported->managed, kCapsule, &end_capsule));
}

bool is_on_device(const py::object& object) {
  if (py::isinstance<py::array>(object)) return false;
  if (py::hasattr(object, "__cuda_array_interface__")) return true;
  return py::hasattr(object, "__dlpack_device__") &&
         object.attr("__dlpack_device__")().cast<py::tuple>()[0].cast<std::int32_t>() == kDlCuda;
}

DeviceMatrixArgument::DeviceMatrixArgument(const py::object& object, const char* argument) : owner_(object) {
  if (!is_on_device(object)) {
    throw Error(
        ErrorCode::invalid_argument,
        std::string(argument) + ": expected an array on the device, as the other one is, got " + type_name(object));
  }
  if (py::hasattr(object, "__cuda_array_interface__")) {
    take_interface(object, argument);
  } else {
    take_dlpack(object, argument);
  }
}

void DeviceMatrixArgument::take_interface(const py::object& object, const char* argument) {
  const py::dict described = object.attr("__cuda_array_interface__");
  const auto shape = described["shape"].cast<std::vector<std::int64_t>>();
  const auto type = described["typestr"].cast<std::string>();
  if (type != "<f4" || shape.size() != 2) refuse(argument, std::to_string(shape.size()) + "-d " + type);
  const auto pointer = described["data"].cast<py::tuple>()[0].cast<std::uintptr_t>();
  view_ = {reinterpret_cast<float*>(pointer), shape[0], shape[1]};
  if (described.contains("strides") && !described["strides"].is_none()) {
    const auto strides = described["strides"].cast<std::vector<std::int64_t>>();
    constexpr std::int64_t kSize = sizeof(float);
    const bool fits = strides[1] == kSize && strides[0] % kSize == 0 && strides[0] >= shape[1] * kSize;
    if (!fits && shape[0] > 1 && shape[1] > 0) refuse(argument, "one with other strides; copy it in C order");
    if (fits) view_.stride = strides[0] / kSize;
  }
  if (described.contains("stream") && !described["stream"].is_none()) {
    const auto stream = described["stream"].cast<CudaStream>();
    stream_ = stream == 1 ? 0 : stream;  // 1 is its name for the default stream
  }
}

void DeviceMatrixArgument::take_dlpack(const py::object& object, const char* argument) {
  const py::object capsule = object.attr("__dlpack__")();
  auto* managed = static_cast<DlManagedTensor*>(PyCapsule_GetPointer(capsule.ptr(), kCapsule));
  if (managed == nullptr) throw py::error_already_set();
  PyCapsule_SetName(capsule.ptr(), kUsedCapsule);
  tensor_ = std::shared_ptr<void>(managed, [](void* p) {
    auto* ended = static_cast<DlManagedTensor*>(p);
    if (ended->deleter != nullptr) ended->deleter(ended);
  });
  const DlTensor& tensor = managed->tensor;
  if (tensor.dimensions != 2 || tensor.type.code != kDlFloat || tensor.type.bits != 32 || tensor.type.lanes != 1)
    refuse(argument, std::to_string(tensor.dimensions) + "-d of " + std::to_string(tensor.type.bits) + " bits");
  view_ = {reinterpret_cast<float*>(static_cast<char*>(tensor.data) + tensor.byte_offset), tensor.shape[0],
           tensor.shape[1]};
  if (tensor.strides != nullptr) {
    const bool fits = tensor.strides[1] == 1 && tensor.strides[0] >= tensor.shape[1];
    if (!fits && tensor.shape[0] > 1 && tensor.shape[1] > 0)
      refuse(argument, "one with other strides; copy it in C order");
    if (fits) view_.stride = tensor.strides[0];
  }
}

Execution execution_on(const std::string& device, const std::optional<CudaStream>& stream, int num_threads) {
  require(device == "cpu" || device == "cuda",
          [&] { return "device: expected one of cpu, cuda, got \"" + device + "\""; });
  static_cast<void>(resolve_threads(num_threads));  // refused on either device
  return {num_threads, nullptr, device == "cuda" ? Device::cuda : Device::cpu, Memory::host, stream};
}

Execution execution_with(const std::string& device, const std::optional<CudaStream>& stream,
                         std::initializer_list<const DeviceMatrixArgument*> matrices) {
  require(device == "cuda", [&] { return "device: expected cuda for arrays on the device, got \"" + device + "\""; });
  const CudaStream chosen = stream ? *stream : (*matrices.begin())->stream().value_or(0);
  for (const DeviceMatrixArgument* matrix : matrices)
    if (matrix->stream()) device_wait_for(chosen, *matrix->stream());
  return {0, nullptr, Device::cuda, Memory::device, chosen};
}

}  // namespace recocore::bindings
