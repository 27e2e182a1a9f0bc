// Writes the features of a profile in the wire format of protocol buffers: through messages in Python that took twice
// as long as making the profile.
#include <pybind11/pybind11.h>

// After Python.h, as Python's documentation asks.
#include <datetime.h>

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

#include "module.hpp"
#include "ops/events/wire.hpp"
#include "recocore/error.hpp"

namespace recocore::bindings {

namespace py = pybind11;

namespace {

// Kinds of fields.
enum Kind : std::uint8_t { kVarint = 0, kFixed64 = 1, kLength = 2 };

constexpr char key(int field, Kind kind) {
  return static_cast<char>(field << 3U | kind);
}

void append_bytes(std::string& out, int field, std::string_view bytes) {
  out.push_back(key(field, kLength));
  events::append_varint(out, bytes.size());
  out.append(bytes);
}

void append_number(std::string& out, int field, std::int64_t number) {
  out.push_back(key(field, kVarint));
  events::append_varint(out, static_cast<std::uint64_t>(number));
}

void append_real(std::string& out, int field, double number) {
  out.push_back(key(field, kFixed64));
  const auto bits = std::bit_cast<std::uint64_t>(number);
  for (unsigned shift = 0; shift < 64; shift += 8) out.push_back(static_cast<char>(bits >> shift & 255U));
}

[[noreturn]] void refuse(std::string_view what, PyObject* value) {
  throw Error(ErrorCode::invalid_argument,
              std::string(what) +
                  ": expected a whole number, a number, a text, a moment of UTC or a list of entries, got " +
                  Py_TYPE(value)->tp_name);
}

std::string_view text_of(PyObject* value) {
  Py_ssize_t size = 0;
  const char* data = PyUnicode_AsUTF8AndSize(value, &size);
  if (data == nullptr) throw py::error_already_set();
  return {data, static_cast<std::size_t>(size)};
}

std::int64_t whole_of(PyObject* value) {
  const std::int64_t number = PyLong_AsLongLong(value);
  if (number == -1 && PyErr_Occurred() != nullptr) throw py::error_already_set();
  return number;
}

/// Days from 1970-01-01 to a day of the proleptic Gregorian calendar (Hinnant, chrono-compatible low-level date
/// algorithms).
std::int64_t days_to(std::int64_t year, std::int64_t month, std::int64_t day) {
  year -= month <= 2 ? 1 : 0;
  const std::int64_t era = year / 400;  // years are those of Python: from 1 on
  const std::int64_t in_era = year - era * 400;
  const std::int64_t in_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146'097 + in_era * 365 + in_era / 4 - in_era / 100 + in_year - 719'468;
}

/// A google.protobuf.Timestamp of a datetime of UTC.
std::string timestamp(PyObject* moment) {
  const std::int64_t days =
      days_to(PyDateTime_GET_YEAR(moment), PyDateTime_GET_MONTH(moment), PyDateTime_GET_DAY(moment));
  const std::int64_t seconds =
      ((days * 24 + PyDateTime_DATE_GET_HOUR(moment)) * 60 + PyDateTime_DATE_GET_MINUTE(moment)) * 60 +
      PyDateTime_DATE_GET_SECOND(moment);
  const std::int64_t nanos = std::int64_t{1'000} * PyDateTime_DATE_GET_MICROSECOND(moment);
  std::string out;
  if (seconds != 0) append_number(out, 1, seconds);
  if (nanos != 0) append_number(out, 2, nanos);
  return out;
}

/// A FeatureEntry: `from` and `term` are its name.
void append_entry(std::string& out, PyObject* entry) {
  if (PyDict_CheckExact(entry) == 0) refuse("features", entry);
  std::string body;
  PyObject* name = nullptr;
  PyObject* value = nullptr;
  Py_ssize_t at = 0;
  while (PyDict_Next(entry, &at, &name, &value) != 0) {
    const std::string_view field = text_of(name);
    if (field == "name" || field == "from" || field == "term") {
      if (const auto text = text_of(value); !text.empty()) append_bytes(body, 1, text);
    } else if (field == "to") {
      if (const auto text = text_of(value); !text.empty()) append_bytes(body, 2, text);
    } else if (field == "hour") {
      append_number(body, 3, whole_of(value));
    } else if (field == "weight") {
      if (const double weight = PyFloat_AsDouble(value); weight != 0.0) append_real(body, 4, weight);
    } else if (field == "count") {
      if (const auto count = whole_of(value); count != 0) append_number(body, 5, count);
    } else {
      throw Error(ErrorCode::invalid_argument, "features: expected fields of entries, got " + std::string(field));
    }
  }
  append_bytes(out, 1, body);
}

/// A Feature; nothing for an empty list.
std::string feature(std::string_view name, PyObject* value) {
  std::string out;
  if (PyLong_CheckExact(value) != 0) {
    append_number(out, 1, whole_of(value));
  } else if (PyFloat_CheckExact(value) != 0) {
    append_real(out, 2, PyFloat_AS_DOUBLE(value));
  } else if (PyUnicode_CheckExact(value) != 0) {
    append_bytes(out, 3, text_of(value));
  } else if (PyDateTime_CheckExact(value) != 0 && PyDateTime_DATE_GET_TZINFO(value) == PyDateTime_TimeZone_UTC) {
    append_bytes(out, 4, timestamp(value));
  } else if (PyList_CheckExact(value) != 0) {
    std::string list;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(value); ++i) append_entry(list, PyList_GET_ITEM(value, i));
    if (!list.empty()) append_bytes(out, 5, list);
  } else {
    refuse(name, value);
  }
  return out;
}

/// `field` is that of Profile.features, a map.
py::bytes encode_features(const py::dict& features, const py::object& wanted, int field) {
  std::string out;
  std::string entry;
  PyObject* name = nullptr;
  PyObject* value = nullptr;
  Py_ssize_t at = 0;
  while (PyDict_Next(features.ptr(), &at, &name, &value) != 0) {
    if (value == Py_None) continue;
    if (!wanted.is_none()) {
      const int there = PySet_Contains(wanted.ptr(), name);
      if (there < 0) throw py::error_already_set();
      if (there == 0) continue;
    }
    const std::string_view spelled = text_of(name);
    const std::string made = feature(spelled, value);
    if (made.empty()) continue;
    entry.clear();
    append_bytes(entry, 1, spelled);
    append_bytes(entry, 2, made);
    append_bytes(out, field, entry);
  }
  return {out.data(), out.size()};
}

}  // namespace

void register_profile_messages(py::module_& module) {
  PyDateTime_IMPORT;
  if (PyDateTimeAPI == nullptr) throw py::error_already_set();
  module.def(
      "encode_features", &encode_features, py::arg("features"), py::arg("wanted"), py::arg("field"),
      "Features by name as entries of a map of Feature messages, without those that are None or empty lists, and "
      "without those whose names are not in the set `wanted`, where that is not None.");
}

}  // namespace recocore::bindings
