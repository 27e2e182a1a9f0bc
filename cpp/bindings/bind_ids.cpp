#include "arrays.hpp"
#include "execution.hpp"
#include "module.hpp"
#include "recocore/sorted_bytes.hpp"

namespace recocore::bindings {
namespace {

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
  run_released(1, py::none(), [&, out = mutable_span_of(found)](const Execution&) {
    find_sorted_bytes(bytes_of(offsets, data), queries, out);
    return 0;
  });
  return found;
}

}  // namespace

void register_ids(py::module_& module) {
  module.def("find_sorted_bytes", &find_sorted_bytes_, py::arg("sorted_offsets"), py::arg("sorted_data"),
             py::arg("query_offsets"), py::arg("query_data"),
             "The int32 position of each query among strictly ascending byte strings, -1 where absent; both in the "
             "layout of Arrow's LargeString (int64 offsets, uint8 data).");
}

}  // namespace recocore::bindings
