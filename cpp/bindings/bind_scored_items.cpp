// Writes what is long in answers in the wire format of protocol buffers: Python takes longer for that than the core for
// finding items, or than a worker for all else of a decision on fraud.
#include <pybind11/stl.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "arrays.hpp"
#include "module.hpp"
#include "ops/events/message_pack.hpp"
#include "recocore/error.hpp"
#include "wire.hpp"

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
  append_varint(out, whole);
  out.push_back(kText);
  append_varint(out, length);
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

/// Appends fields of a message; what has the value that an absent field has is left out.
class Fields {
 public:
  explicit Fields(std::string& out) : out_(out) {}

  void text(unsigned field, std::string_view value) {
    if (!value.empty()) bytes(field, value);
  }
  void bytes(unsigned field, std::string_view value) {
    append_varint(out_, field << 3U | 2U);
    append_varint(out_, value.size());
    out_.append(value);
  }
  void whole(unsigned field, std::uint64_t value) {
    if (value == 0) return;
    append_varint(out_, field << 3U);
    append_varint(out_, value);
  }
  void number(unsigned field, double value) {
    if (std::bit_cast<std::uint64_t>(value) != 0) given_number(field, value);
  }
  void given_number(unsigned field, double value) {
    std::array<char, 8> bytes{};
    std::memcpy(bytes.data(), &value, bytes.size());
    append_varint(out_, field << 3U | 1U);
    out_.append(bytes.data(), bytes.size());
  }

 private:
  std::string& out_;
};

/// Makes FraudDecision messages of decisions in MessagePack.
class DecisionWriter {
 public:
  /// `numbers` are those of the names in the enumerations.
  explicit DecisionWriter(const std::map<std::string, std::uint64_t>& numbers)
      : numbers_(numbers.begin(), numbers.end()) {}

  [[nodiscard]] py::bytes write(const py::bytes& packed) const {
    events::Unpacker in{std::string_view(packed)};
    std::string out;
    out.reserve(1024);
    decision(in, out);
    if (!in.done()) refuse("nothing after it");
    return {out};
  }

 private:
  using Kind = events::PackedKind;
  using Unpacker = events::Unpacker;
  using Value = events::PackedValue;

  [[noreturn]] static void refuse(const std::string& expected) {
    throw Error(ErrorCode::corrupt, "packed: expected a decision, with " + expected);
  }
  static Value next(Unpacker& in) {
    Value value;
    if (!in.next(value)) refuse("more bytes");
    return value;
  }
  static std::uint64_t count(Unpacker& in, Kind kind) {
    const Value value = next(in);
    if (value.kind != kind) refuse(kind == Kind::map ? "a map in its place" : "a list in its place");
    return value.bits;
  }
  static std::string_view text(Unpacker& in) {
    const Value value = next(in);
    if (value.kind != Kind::text) refuse("a text in its place");
    return value.view;
  }
  static double number(const Value& value) {
    if (value.kind == Kind::number) return value.number;
    if (value.kind == Kind::unsigned_whole) return static_cast<double>(value.bits);
    if (value.kind == Kind::whole) return static_cast<double>(static_cast<std::int64_t>(value.bits));
    refuse("a number in its place");
  }
  static std::int64_t whole(Unpacker& in) {
    const Value value = next(in);
    if (value.kind != Kind::whole && value.kind != Kind::unsigned_whole) refuse("a whole number in its place");
    return static_cast<std::int64_t>(value.bits);
  }
  [[nodiscard]] std::uint64_t enumerated(Unpacker& in) const {
    const Value value = next(in);
    if (value.kind == Kind::nil) return 0;
    for (const auto& [name, number] : numbers_)
      if (value.kind == Kind::text && name == value.view) return number;
    refuse("a name of an enumeration in its place");
  }

  /// A google.protobuf.Value.
  static void any(Unpacker& in, std::string& out) {
    const Value value = next(in);
    Fields fields(out);
    switch (value.kind) {
      case Kind::nil: out.append("\x08\0", 2); return;
      case Kind::boolean: out.append(value.bits != 0 ? "\x20\1" : "\x20\0", 2); return;
      case Kind::text: fields.bytes(3, value.view); return;
      case Kind::array: {
        std::string list;
        for (std::uint64_t i = 0; i < value.bits; ++i) {
          std::string each;
          any(in, each);
          Fields(list).bytes(1, each);
        }
        fields.bytes(6, list);
        return;
      }
      default: fields.given_number(2, number(value));
    }
  }

  /// A google.protobuf.Struct.
  static void structure(Unpacker& in, std::string& out) {
    const std::uint64_t size = count(in, Kind::map);
    std::string entry;
    std::string value;
    for (std::uint64_t i = 0; i < size; ++i) {
      entry.clear();
      value.clear();
      Fields fields(entry);
      fields.bytes(1, text(in));
      any(in, value);
      fields.bytes(2, value);
      Fields(out).bytes(1, entry);
    }
  }

  void reason(Unpacker& in, std::string& out) const {
    Fields fields(out);
    std::string part;
    for (std::uint64_t left = count(in, Kind::map); left > 0; --left) {
      const std::string_view name = text(in);
      part.clear();
      if (name == "code") {
        fields.text(1, text(in));
      } else if (name == "kind") {
        fields.whole(2, enumerated(in));
      } else if (name == "observed" || name == "threshold") {
        any(in, part);
        fields.bytes(name == "observed" ? 3 : 4, part);
      } else if (name == "window") {
        fields.text(5, text(in));
      } else if (name == "contribution") {
        fields.number(6, number(next(in)));
      } else if (name == "evidence") {
        for (std::uint64_t each = count(in, Kind::array); each > 0; --each) {
          part.clear();
          structure(in, part);
          fields.bytes(7, part);
        }
      } else {
        refuse("no field " + std::string(name) + " of a reason");
      }
    }
  }

  void shadow(Unpacker& in, std::string& out) const {
    Fields fields(out);
    for (std::uint64_t left = count(in, Kind::map); left > 0; --left) {
      const std::string_view name = text(in);
      if (name == "rule")
        fields.text(1, text(in));
      else if (name == "status" || name == "outcome")
        fields.whole(name == "status" ? 2 : 3, enumerated(in));
      else if (name == "score")
        fields.whole(4, static_cast<std::uint64_t>(whole(in)));
      else
        refuse("no field " + std::string(name) + " of a rule in shadow");
    }
  }

  static void timestamp(std::int64_t microseconds, std::string& out) {
    constexpr std::int64_t kSecond = 1'000'000;
    const std::int64_t rest = (microseconds % kSecond + kSecond) % kSecond;
    Fields fields(out);
    fields.whole(1, static_cast<std::uint64_t>((microseconds - rest) / kSecond));
    fields.whole(2, static_cast<std::uint64_t>(rest * 1000));
  }

  void decision(Unpacker& in, std::string& out) const {
    Fields fields(out);
    std::string part;
    const auto of_each = [&](auto&& write) {
      for (std::uint64_t each = count(in, Kind::array); each > 0; --each) write();
    };
    for (std::uint64_t left = count(in, Kind::map); left > 0; --left) {
      const std::string_view name = text(in);
      part.clear();
      if (name == "decision_id") {
        fields.text(1, text(in));
      } else if (name == "event_id") {
        fields.text(2, text(in));
      } else if (name == "decision" || name == "policy") {
        fields.whole(name == "decision" ? 3 : 4, enumerated(in));
      } else if (name == "propensity") {
        fields.number(5, number(next(in)));
      } else if (name == "score") {
        fields.whole(6, static_cast<std::uint64_t>(whole(in)));
      } else if (name == "probability") {
        fields.number(7, number(next(in)));
      } else if (name == "penalties") {
        of_each([&] { append_varint(part, enumerated(in)); });
        fields.text(8, part);
      } else if (name == "reasons" || name == "shadow") {
        of_each([&] {
          part.clear();
          name == "reasons" ? reason(in, part) : shadow(in, part);
          fields.bytes(name == "reasons" ? 9 : 11, part);
        });
      } else if (name == "errors") {
        of_each([&] { fields.bytes(10, text(in)); });
      } else if (name == "ruleset_version") {
        fields.text(12, text(in));
      } else if (name == "model_version") {
        fields.text(13, text(in));
      } else if (name == "feature_time") {
        timestamp(whole(in), part);
        fields.bytes(14, part);
      } else if (name == "rings_version") {
        fields.text(15, text(in));
      } else {
        refuse("no field " + std::string(name));
      }
    }
  }

  std::vector<std::pair<std::string, std::uint64_t>> numbers_;
};

}  // namespace

void register_scored_items(py::module_& module) {
  py::class_<DecisionWriter>(module, "DecisionWriter", "Makes FraudDecision messages.")
      .def(py::init<const std::map<std::string, std::uint64_t>&>(), py::arg("numbers"))
      .def("write", &DecisionWriter::write, py::arg("packed"),
           "The wire format of a FraudDecision, of a decision in MessagePack by the names of its attributes.");
  module.def("encode_scored_lists", &encode_scored_lists, py::arg("item_ids"), py::arg("scores"), py::arg("sources"),
             py::arg("ends"), py::arg("source_numbers"),
             "RecommendResponse.items of each list in the wire format: ids, float32 scores and uint8 sources, whose "
             "numbers in the enumeration, all below 128, are given; `ends` says where each list does.");
}

}  // namespace recocore::bindings
