// Writes the items of an answer in the wire format of protocol buffers: Python takes longer for that than the core for
// finding them.
#include <array>
#include <bit>
#include <cstring>
#include <string>

#include "arrays.hpp"
#include "module.hpp"
#include "recocore/error.hpp"

namespace recocore::bindings {
namespace {

// Keys of fields: ScoredItem.item_id = 1 and RecommendResponse.items = 1 have a length, ScoredItem.score = 2 has four
// bytes, ScoredItem.source = 4 is a number.
constexpr char kText = 0x0a;
constexpr char kFloat = 0x15;
constexpr char kNumber = 0x20;

/// Seven bits a byte, the lowest first; all but the last have the highest bit set.
void append_varint(std::string& out, std::size_t number) {
  for (; number > 127; number >>= 7U) out.push_back(static_cast<char>((number & 127U) | 128U));
  out.push_back(static_cast<char>(number));
}

std::size_t varint_length(std::size_t number) noexcept {
  return number == 0 ? 1 : (static_cast<std::size_t>(std::bit_width(number)) + 6) / 7;
}

py::bytes encode_scored_items(const py::list& item_ids, const py::object& scores, const py::object& sources,
                              const py::bytes& source_numbers) {
  const auto checked_scores = checked<float>(scores, "scores", 1);
  const auto checked_sources = checked<std::uint8_t>(sources, "sources", 1);
  const auto count = static_cast<py::ssize_t>(item_ids.size());
  if (checked_scores.size() != count || checked_sources.size() != count)
    throw Error(ErrorCode::invalid_argument, "scores and sources: expected " + std::to_string(count) + ", got " +
                                                 std::to_string(checked_scores.size()) + " and " +
                                                 std::to_string(checked_sources.size()));
  const std::string_view numbers(source_numbers);
  std::string out;
  out.reserve(static_cast<std::size_t>(count) * 32);
  for (py::ssize_t i = 0; i < count; ++i) {
    py::object id = py::reinterpret_borrow<py::object>(PyList_GET_ITEM(item_ids.ptr(), i));
    if (!PyUnicode_Check(id.ptr())) id = py::str(id);
    Py_ssize_t size = 0;
    const char* text = PyUnicode_AsUTF8AndSize(id.ptr(), &size);
    if (text == nullptr) throw py::error_already_set();
    const std::uint8_t source = checked_sources.data()[i];
    if (source >= numbers.size())
      throw Error(ErrorCode::invalid_argument,
                  "sources: expected less than " + std::to_string(numbers.size()) + ", got " + std::to_string(source));
    const auto length = static_cast<std::size_t>(size);
    // The id with its key and length, five bytes of score, and the source with its key.
    const std::size_t whole = 1 + varint_length(length) + length + 5 + 2;
    out.push_back(kText);
    append_varint(out, whole);
    out.push_back(kText);
    append_varint(out, length);
    out.append(text, length);
    out.push_back(kFloat);
    std::array<char, 4> score;
    static_assert(std::endian::native == std::endian::little);
    std::memcpy(score.data(), checked_scores.data() + i, score.size());
    out.append(score.data(), score.size());
    out.push_back(kNumber);
    out.push_back(numbers[source]);
  }
  return {out};
}

}  // namespace

void register_scored_items(py::module_& module) {
  module.def("encode_scored_items", &encode_scored_items, py::arg("item_ids"), py::arg("scores"), py::arg("sources"),
             py::arg("source_numbers"),
             "RecommendResponse.items in the wire format: ids, float32 scores and uint8 sources, whose numbers in the "
             "enumeration, all below 128, are given.");
}

}  // namespace recocore::bindings
