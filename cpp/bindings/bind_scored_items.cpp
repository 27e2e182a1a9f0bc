// Writes lists of items in the wire format of protocol buffers: Python takes longer for that than the core for finding
// them.
#include <pybind11/stl.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "arrays.hpp"
#include "module.hpp"
#include "ops/events/wire.hpp"
#include "recocore/error.hpp"

namespace recocore::bindings {
namespace {

// Keys of fields: ScoredItem.item_id = 1 and RecommendResponse.items = 1 have a length, ScoredItem.score = 2 has four
// bytes, ScoredItem.source = 4 is a number.
constexpr char kText = 0x0a;
constexpr char kFloat = 0x15;
constexpr char kNumber = 0x20;

std::size_t varint_length(std::size_t number) noexcept {
  return number == 0 ? 1 : (static_cast<std::size_t>(std::bit_width(number)) + 6) / 7;
}

/// One item of a list, behind those before it.
void append_item(std::string& out, const py::handle& item_id, float score, char source) {
  py::object id = py::reinterpret_borrow<py::object>(item_id);
  if (!PyUnicode_Check(id.ptr())) id = py::str(id);
  Py_ssize_t size = 0;
  const char* text = PyUnicode_AsUTF8AndSize(id.ptr(), &size);
  if (text == nullptr) throw py::error_already_set();
  const auto length = static_cast<std::size_t>(size);
  // The id with its key and length, five bytes of score, and the source with its key.
  const std::size_t whole = 1 + varint_length(length) + length + 5 + 2;
  out.push_back(kText);
  events::append_varint(out, whole);
  out.push_back(kText);
  events::append_varint(out, length);
  out.append(text, length);
  out.push_back(kFloat);
  std::array<char, 4> bytes;
  static_assert(std::endian::native == std::endian::little);
  std::memcpy(bytes.data(), &score, bytes.size());
  out.append(bytes.data(), bytes.size());
  out.push_back(kNumber);
  out.push_back(source);
}

py::list encode_scored_lists(const py::list& item_ids, const py::object& scores, const py::object& sources,
                             const std::vector<py::ssize_t>& ends, const py::bytes& source_numbers) {
  const auto checked_scores = checked<float>(scores, "scores", 1);
  const auto checked_sources = checked<std::uint8_t>(sources, "sources", 1);
  const auto count = static_cast<py::ssize_t>(item_ids.size());
  if (checked_scores.size() != count || checked_sources.size() != count)
    throw Error(ErrorCode::invalid_argument, "scores and sources: expected " + std::to_string(count) + ", got " +
                                                 std::to_string(checked_scores.size()) + " and " +
                                                 std::to_string(checked_sources.size()));
  if (!std::is_sorted(ends.begin(), ends.end()) || (ends.empty() ? 0 : ends.back()) != count ||
      (!ends.empty() && ends.front() < 0))
    throw Error(ErrorCode::invalid_argument,
                "ends: expected numbers from 0 that do not fall and end at " + std::to_string(count));
  const std::string_view numbers(source_numbers);
  py::list lists(ends.size());
  std::string out;
  py::ssize_t i = 0;
  for (std::size_t list = 0; list < ends.size(); ++list) {
    out.clear();
    for (; i < ends[list]; ++i) {
      const std::uint8_t source = checked_sources.data()[i];
      if (source >= numbers.size())
        throw Error(ErrorCode::invalid_argument, "sources: expected less than " + std::to_string(numbers.size()) +
                                                     ", got " + std::to_string(source));
      append_item(out, PyList_GET_ITEM(item_ids.ptr(), i), checked_scores.data()[i], numbers[source]);
    }
    lists[list] = py::bytes(out);
  }
  return lists;
}

}  // namespace

void register_scored_items(py::module_& module) {
  module.def("encode_scored_lists", &encode_scored_lists, py::arg("item_ids"), py::arg("scores"), py::arg("sources"),
             py::arg("ends"), py::arg("source_numbers"),
             "RecommendResponse.items of each list in the wire format: ids, float32 scores and uint8 sources, whose "
             "numbers in the enumeration, all below 128, are given; `ends` says where each list does.");
}

}  // namespace recocore::bindings
