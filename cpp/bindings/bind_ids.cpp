#include "arrays.hpp"
#include "execution.hpp"
#include "module.hpp"
#include "recocore/sorted_bytes.hpp"

namespace recocore::bindings {
namespace {

// 64 look-ups among a million ids take 20 us.
constexpr std::size_t kFew = 64;

BytesView bytes_of(const py::array_t<std::int64_t>& offsets, const py::array_t<std::uint8_t>& data) {
  return {span_of(offsets), {reinterpret_cast<const char*>(data.data()), static_cast<std::size_t>(data.size())}};
}

py::array_t<std::int32_t> find_sorted_bytes_(const py::object& sorted_offsets, const py::object& sorted_data,
                                             const py::object& query_offsets, const py::object& query_data) {
  const auto offsets = checked<std::int64_t>(sorted_offsets, "sorted_offsets", 1);
  const auto data = checked<std::uint8_t>(sorted_data, "sorted_data", 1);
  const auto wanted_offsets = checked<std::int64_t>(query_offsets, "query_offsets", 1);
  const auto wanted_data = checked<std::uint8_t>(query_data, "query_data", 1);
  const BytesView queries = bytes_of(wanted_offsets, wanted_data);
  py::array_t<std::int32_t> found(static_cast<py::ssize_t>(queries.size()));
  const auto find = [&, out = mutable_span_of(found)](const Execution&) {
    find_sorted_bytes(bytes_of(offsets, data), queries, out);
    return 0;
  };
  // What is done sooner than the interpreter's lock changes hands keeps it.
  if (queries.size() <= kFew)
    find({});
  else
    run_released(1, py::none(), find);
  return found;
}

py::list texts_at(const py::object& offsets, const py::object& data, const py::object& indices) {
  const auto checked_offsets = checked<std::int64_t>(offsets, "offsets", 1);
  const auto checked_data = checked<std::uint8_t>(data, "data", 1);
  const auto chosen = checked<std::int64_t>(indices, "indices", 1);
  const BytesView texts = bytes_of(checked_offsets, checked_data);
  const auto n = static_cast<std::int64_t>(texts.size());
  py::list found(static_cast<py::ssize_t>(chosen.size()));
  for (py::ssize_t i = 0; i < chosen.size(); ++i) {
    const std::int64_t index = chosen.data()[i];
    if (index < 0 || index >= n)
      throw Error(ErrorCode::invalid_argument,
                  "indices: expected numbers in [0, " + std::to_string(n) + "), got " + std::to_string(index));
    const std::string_view text = texts[static_cast<std::size_t>(index)];
    PyObject* made = PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), nullptr);
    if (made == nullptr) throw py::error_already_set();
    PyList_SET_ITEM(found.ptr(), i, made);
  }
  return found;
}

}  // namespace

void register_ids(py::module_& module) {
  module.def("find_sorted_bytes", &find_sorted_bytes_, py::arg("sorted_offsets"), py::arg("sorted_data"),
             py::arg("query_offsets"), py::arg("query_data"),
             "The int32 position of each query among strictly ascending byte strings, -1 where absent; both in the "
             "layout of Arrow's LargeString (int64 offsets, uint8 data).");
  module.def("texts_at", &texts_at, py::arg("offsets"), py::arg("data"), py::arg("indices"),
             "The string at each int64 index of strings in the layout of Arrow's LargeString.");
}

}  // namespace recocore::bindings
