// A stream's events and profiles one at a time, as plain Python values.
#include <pybind11/stl.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "module.hpp"
#include "ops/profiles/checks.hpp"
#include "profile_arguments.hpp"
#include "profile_row.hpp"
#include "recocore/name_sets.hpp"
#include "recocore/profile_log.hpp"
#include "recocore/profile_reader.hpp"

namespace recocore::bindings {
namespace {

namespace py = pybind11;

// Above so many bytes of packed events others may run meanwhile; below, that would cost more than it is worth.
constexpr std::size_t kLong = 64 * 1024;

/// Profiles of single users.
class HeldReader {
 public:
  HeldReader(const ProfileLog& log, const py::dict& plan, const py::object& offers, const py::dict& rule)
      : log_(log), plan_(plan_of(plan)), reader_(log, plan_, offers_of(offers), rule_of(rule)) {}

  py::object read(const py::bytes& user, std::int64_t as_of) {
    const std::int32_t code = log_.users().find(std::string_view(user));
    return code < 0 ? py::none() : rows_.of(compute(code, as_of), plan_, log_.vocabularies());
  }

 private:
  ProfileRow compute(std::int32_t code, std::int64_t as_of) {
    if (log_.packed(code).size() < kLong) return reader_.read(code, as_of);
    const py::gil_scoped_release released;
    return reader_.read(code, as_of);
  }

  const ProfileLog& log_;
  ProfilePlan plan_;
  ProfileReader reader_;
  ProfileRowDict rows_;
};

/// Appends events of plain Python values, an empty text being none. What it does not know, or what does not fit, it
/// leaves alone: whoever calls then reads the event at leisure, and says what is wrong with it.
class EventAppender {
 public:
  /// `columns` are those of the event schema, `dimensions` the names of those that have an interest vector; `tags` is
  /// the one of these that holds lists, or empty.
  EventAppender(const std::vector<std::string>& types, const std::vector<std::string>& columns,
                const std::vector<std::string>& dimensions, const std::string& tags, const std::string& path,
                std::string default_type)
      : default_type_(std::move(default_type)), path_is_type_(path == "type") {
    for (const std::string& type : types) codes_.emplace(type, static_cast<std::uint8_t>(codes_.size()));
    for (const std::string& name : columns) {
      Use use;
      for (const auto& [known, field] : kFields)
        if (name == known) use.field = field;
      for (std::size_t d = 0; d < dimensions.size(); ++d)
        if (name == dimensions[d]) use.dimension = static_cast<int>(d);
      use.tags = use.dimension >= 0 && name == tags;
      use.path = name == path && !path_is_type_;
      places_[py::str(name)] = uses_.size();
      uses_.push_back(use);
    }
  }

  /// 0: the event was not taken; 1: it was; 2: it was, and carries money.
  int append(ProfileLog& log, const py::dict& event, std::int64_t time, std::int64_t known, int digits) const {
    Taken taken;
    taken.event.event.time = time;
    taken.event.event.known = known == kNone ? time : known;
    for (int i = 0; i < digits; ++i) taken.factor *= 10.0;
    PyObject* key = nullptr;
    PyObject* value = nullptr;
    Py_ssize_t at = 0;
    while (PyDict_Next(event.ptr(), &at, &key, &value) != 0) {
      const PyObject* place = PyDict_GetItemWithError(places_.ptr(), key);
      if (place == nullptr) {
        PyErr_Clear();
        return 0;
      }
      if (value == Py_None) continue;
      const auto use = static_cast<std::size_t>(PyLong_AsSize_t(const_cast<PyObject*>(place)));
      if (!take(uses_[use], value, taken)) return 0;
    }
    const bool fits = !taken.event.user.empty() && time >= -cpu::kLatest && time <= cpu::kLatest;
    if (!fits) return 0;
    const auto code = codes_.find(taken.type.value_or(default_type_));
    taken.event.event.type = code == codes_.end() ? static_cast<std::uint8_t>(codes_.size()) : code->second;
    if (path_is_type_ && taken.type != "") taken.event.path = taken.type.value_or(default_type_);
    log.append(taken.event);
    return taken.event.event.money != kNone || taken.event.event.price != kNone ? 2 : 1;
  }

 private:
  enum class Field : std::uint8_t {
    none,
    time,
    user,
    item,
    type,
    event_id,
    session,
    order,
    value,
    price,
    dwell,
    quantity,
    query,
    coupon,
  };
  static constexpr std::array<std::pair<std::string_view, Field>, 14> kFields{{{"event_time", Field::time},
                                                                               {"known_time", Field::time},
                                                                               {"user_id", Field::user},
                                                                               {"item_id", Field::item},
                                                                               {"type", Field::type},
                                                                               {"event_id", Field::event_id},
                                                                               {"session_id", Field::session},
                                                                               {"order_id", Field::order},
                                                                               {"value", Field::value},
                                                                               {"price", Field::price},
                                                                               {"dwell_ms", Field::dwell},
                                                                               {"quantity", Field::quantity},
                                                                               {"query", Field::query},
                                                                               {"coupon_id", Field::coupon}}};

  // What a column is read for.
  struct Use {
    Field field = Field::none;
    int dimension = -1;
    bool tags = false;
    bool path = false;
  };

  // An event on its way; names are views of the event's values, and of what is made of them here.
  struct Taken {
    NamedEvent event;
    double factor = 1.0;
    std::optional<std::string_view> type;
    std::string user_bytes;
    std::string term;
    std::string tags;
  };

  struct ViewHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const noexcept { return hash_name(name); }
  };

  static std::optional<std::string_view> text_of(PyObject* value) {
    if (PyUnicode_CheckExact(value) == 0) return std::nullopt;
    Py_ssize_t size = 0;
    const char* data = PyUnicode_AsUTF8AndSize(value, &size);
    if (data == nullptr) {
      PyErr_Clear();  // a lone surrogate
      return std::nullopt;
    }
    return std::string_view(data, static_cast<std::size_t>(size));
  }

  static std::optional<std::int64_t> whole_of(PyObject* value, std::int64_t least, std::int64_t most) {
    if (PyLong_CheckExact(value) == 0) return std::nullopt;
    int overflow = 0;
    const std::int64_t number = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (overflow != 0 || number < least || number > most) return std::nullopt;
    return number;
  }

  static std::optional<std::int64_t> money_of(PyObject* value, double factor) {
    if (PyFloat_CheckExact(value) != 0) return minor_unit(PyFloat_AS_DOUBLE(value), factor);
    const auto number = whole_of(value, -cpu::kMostMoney, cpu::kMostMoney);
    return number ? minor_unit(static_cast<double>(*number), factor) : std::nullopt;
  }

  /// Trimmed and in lower case; nothing but printable ASCII is taken.
  static std::optional<std::string> term_of(std::string_view given) {
    if (std::ranges::any_of(given, [](char c) { return c < ' ' || c > '~'; })) return std::nullopt;
    const std::size_t first = std::min(given.find_first_not_of(' '), given.size());
    std::string term(given.substr(first, given.find_last_not_of(' ') + 1 - first));
    std::ranges::transform(term, term.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; });
    return term;
  }

  static bool take(const Use& use, PyObject* value, Taken& taken) {
    if (use.tags) return take_tags(use.dimension, value, taken);
    if (use.dimension >= 0 || use.path) {
      const auto text = text_of(value);
      if (!text) return false;
      if (use.dimension >= 0 && !text->empty()) taken.event.dimensions[static_cast<std::size_t>(use.dimension)] = text;
      if (use.path && !text->empty()) taken.event.path = text;
    }
    ProfileEvent& event = taken.event.event;
    const auto hash = [value](std::uint64_t& into) {
      const auto text = text_of(value);
      if (text && !text->empty()) into = hash_name(*text);
      return text.has_value();
    };
    const auto put = [](const std::optional<std::int64_t>& number, auto& into) {
      if (number) into = static_cast<std::remove_reference_t<decltype(into)>>(*number);
      return number.has_value();
    };
    switch (use.field) {
      case Field::none:
      case Field::time: return true;
      case Field::user: return take_user(value, taken);
      case Field::item: {
        const auto number = whole_of(value, INT64_MIN, INT64_MAX);
        if (number) event.item = hash_number(*number);
        return number || hash(event.item);
      }
      case Field::type: return (taken.type = text_of(value)).has_value();
      case Field::event_id: return hash(event.id);
      case Field::session: return hash(event.session);
      case Field::order: return hash(event.order);
      case Field::value: return put(money_of(value, taken.factor), event.money);
      case Field::price: return put(money_of(value, taken.factor), event.price);
      case Field::dwell: return put(whole_of(value, 0, INT32_MAX), event.dwell);
      case Field::quantity:
        event.has_quantity = true;
        return put(whole_of(value, INT32_MIN, INT32_MAX), event.quantity);
      case Field::query: return take_query(value, taken);
      case Field::coupon: {
        const auto text = text_of(value);
        event.coupon = text && !text->empty();
        return text.has_value();
      }
    }
    return false;
  }

  static bool take_user(PyObject* value, Taken& taken) {
    if (const auto number = whole_of(value, INT64_MIN, INT64_MAX)) {
      taken.user_bytes.assign(reinterpret_cast<const char*>(&*number), sizeof(*number));
      taken.event.user = taken.user_bytes;
      return true;
    }
    const auto text = text_of(value);
    if (text) taken.event.user = *text;
    return text.has_value();
  }

  static bool take_tags(int dimension, PyObject* value, Taken& taken) {
    const bool listed = PyList_CheckExact(value) != 0 || PyTuple_CheckExact(value) != 0;
    if (!listed) return false;
    std::vector<std::string_view> tags;
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(value); ++i) {
      const auto text = text_of(PySequence_Fast_GET_ITEM(value, i));
      if (!text) return false;
      tags.push_back(*text);
    }
    auto joined = NameSets::joined(std::move(tags));
    if (!joined) return false;
    taken.tags = std::move(*joined);
    if (!taken.tags.empty()) taken.event.dimensions[static_cast<std::size_t>(dimension)] = taken.tags;
    return true;
  }

  static bool take_query(PyObject* value, Taken& taken) {
    const auto text = text_of(value);
    auto term = text ? term_of(*text) : std::nullopt;
    if (!term) return false;
    taken.term = std::move(*term);
    if (!taken.term.empty()) taken.event.query = taken.term;
    return true;
  }

  std::unordered_map<std::string, std::uint8_t, ViewHash, std::equal_to<>> codes_;
  py::dict places_;  // of columns, by name
  std::vector<Use> uses_;
  std::string default_type_;
  bool path_is_type_;
};

}  // namespace

void register_profile_stream(py::module_& module) {
  py::class_<HeldReader>(module, "ProfileReader", "Profiles of single users of a log, as plain values.")
      .def(py::init<const ProfileLog&, const py::dict&, const py::object&, const py::dict&>(), py::keep_alive<1, 2>(),
           py::arg("log"), py::arg("plan"), py::arg("offers"), py::arg("rule"))
      .def("read", &HeldReader::read, py::arg("user"), py::arg("as_of"),
           "What profile_batch and send_windows say of one user, None where there is nothing; None where nobody is "
           "known.");
  py::class_<EventAppender>(module, "EventAppender", "Appends single events of plain values to a log.")
      .def(py::init<const std::vector<std::string>&, const std::vector<std::string>&, const std::vector<std::string>&,
                    const std::string&, const std::string&, std::string>(),
           py::arg("types"), py::arg("columns"), py::arg("dimensions"), py::arg("tags"), py::arg("path"),
           py::arg("default_type"))
      .def("append", &EventAppender::append, py::arg("log"), py::arg("event"), py::arg("time"), py::arg("known"),
           py::arg("digits"),
           "0: the event has something that has to be looked at, and was not taken; 1: taken; 2: taken, with money.");
}

}  // namespace recocore::bindings
