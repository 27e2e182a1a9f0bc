// Conversions between NumPy arrays and the core's views, without copies.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "recocore/csr.hpp"
#include "recocore/error.hpp"
#include "recocore/views.hpp"

namespace recocore::bindings {

namespace py = pybind11;

/// Checks dtype, dimensions and C order of an argument and never converts: a silent copy of a large array is an error.
template <typename T>
py::array_t<T> checked(const py::object& object, const char* argument, py::ssize_t dimensions) {
  const auto expected = [&] {
    return std::string(argument) + ": expected a C-contiguous " + std::to_string(dimensions) + "-d array of " +
           std::string(py::str(py::dtype::of<T>())) + ", got ";
  };
  const auto conversion = [] {
    return "; convert it with numpy.ascontiguousarray(x, '" + std::string(py::str(py::dtype::of<T>())) + "')";
  };
  if (!py::isinstance<py::array>(object))
    throw Error(ErrorCode::invalid_argument, expected() + std::string(py::str(py::type::of(object).attr("__name__"))) +
                                                 (object.is_none() ? "" : conversion()));
  const auto array = py::reinterpret_borrow<py::array>(object);
  const bool fits = array.dtype().equal(py::dtype::of<T>()) && array.ndim() == dimensions &&
                    (array.flags() & py::array::c_style) != 0;
  if (!fits) {
    const std::string order = (array.flags() & py::array::c_style) != 0 ? "" : " (not C-contiguous)";
    const std::string step = array.ndim() == dimensions             ? conversion()
                             : array.ndim() == 1 && dimensions == 2 ? "; x[None] makes one row of it"
                                                                    : "";
    throw Error(ErrorCode::invalid_argument,
                expected() + std::to_string(array.ndim()) + "-d " + std::string(py::str(array.dtype())) + order + step);
  }
  return py::reinterpret_borrow<py::array_t<T>>(object);
}

/// The same for a matrix whose rows may lie apart, such as some columns of a C-contiguous array.
template <typename T>
py::array_t<T> checked_rows(const py::object& object, const char* argument) {
  constexpr auto kSize = static_cast<py::ssize_t>(sizeof(T));
  if (py::isinstance<py::array>(object)) {
    const auto array = py::reinterpret_borrow<py::array>(object);
    if (array.dtype().equal(py::dtype::of<T>()) && array.ndim() == 2 && array.strides(1) == kSize &&
        array.strides(0) % kSize == 0 && array.strides(0) >= array.shape(1) * kSize)
      return py::reinterpret_borrow<py::array_t<T>>(object);
  }
  return checked<T>(object, argument, 2);
}

template <typename T>
std::span<const T> span_of(const py::array_t<T>& array) {
  return {array.data(), static_cast<std::size_t>(array.size())};
}

template <typename T>
std::span<T> mutable_span_of(py::array_t<T>& array) {
  return {array.mutable_data(), static_cast<std::size_t>(array.size())};
}

template <typename T>
MatrixView<const T> matrix_of(const py::array_t<T>& array) {
  MatrixView<const T> view(array.data(), array.shape(0), array.shape(1));
  view.stride = array.strides(0) / static_cast<py::ssize_t>(sizeof(T));
  return view;
}

template <typename T>
MatrixView<T> mutable_matrix_of(py::array_t<T>& array) {
  MatrixView<T> view(array.mutable_data(), array.shape(0), array.shape(1));
  view.stride = array.strides(0) / static_cast<py::ssize_t>(sizeof(T));
  return view;
}

/// Hands a vector's memory to NumPy.
template <typename T>
py::array_t<T> to_numpy(std::vector<T>&& values) {
  auto* owner = new std::vector<T>(std::move(values));
  const py::capsule free_when_done(owner, [](void* p) { delete static_cast<std::vector<T>*>(p); });
  return py::array_t<T>(static_cast<py::ssize_t>(owner->size()), owner->data(), free_when_done);
}

/// The arrays of a CSR argument: (indptr int64, indices int32, values float32) and its shape. Keeps them alive; checks
/// their dtypes, and their content when a view is taken.
class CsrArgument {
 public:
  /// `arrays` is a tuple (indptr, indices, values, (rows, cols)); values may be None where only the pattern matters.
  CsrArgument(const py::tuple& arrays, const char* argument);

  [[nodiscard]] CsrPattern pattern() const;
  [[nodiscard]] CsrView view() const;

 private:
  const char* argument_;
  py::array_t<std::int64_t> indptr_;
  py::array_t<std::int32_t> indices_;
  std::optional<py::array_t<float>> values_;
  std::int64_t rows_ = 0;
  std::int64_t cols_ = 0;
};

/// (indptr, indices, values, (rows, cols)), owning the matrix's memory.
py::tuple to_python(CsrMatrix&& matrix);

}  // namespace recocore::bindings
