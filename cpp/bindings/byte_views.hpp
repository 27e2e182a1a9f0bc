// Python's bytes as views of what they hold, and back.
#pragma once

#include <pybind11/pybind11.h>

#include <string>
#include <string_view>
#include <vector>

#include "recocore/error.hpp"

namespace recocore::bindings {

namespace py = pybind11;

/// Of an object that is known to be bytes, and outlives the view.
inline std::string_view view_of(const py::handle& bytes) {
  return {PyBytes_AS_STRING(bytes.ptr()), static_cast<std::size_t>(PyBytes_GET_SIZE(bytes.ptr()))};
}

/// Of a list whose elements may be anything; it outlives the views.
inline std::vector<std::string_view> views_of(const py::list& list, const char* name) {
  std::vector<std::string_view> views;
  views.reserve(list.size());
  for (const py::handle& each : list) {
    require(PyBytes_Check(each.ptr()), [&] { return std::string(name) + ": expected bytes"; });
    views.push_back(view_of(each));
  }
  return views;
}

inline py::bytes bytes_of(std::string_view view) {
  return {view.data(), view.size()};
}

}  // namespace recocore::bindings
