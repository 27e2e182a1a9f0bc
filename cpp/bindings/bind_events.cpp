#include <pybind11/stl.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "arrays.hpp"
#include "module.hpp"
#include "recocore/error.hpp"
#include "recocore/event_log.hpp"
#include "recocore/event_messages.hpp"
#include "recocore/event_rows.hpp"
#include "recocore/user_records.hpp"

namespace recocore::bindings {
namespace {

std::string_view view_of(const py::handle& bytes) {
  return {PyBytes_AS_STRING(bytes.ptr()), static_cast<std::size_t>(PyBytes_GET_SIZE(bytes.ptr()))};
}

std::string_view text_of(const py::handle& text) {
  Py_ssize_t size = 0;
  const char* data = PyUnicode_AsUTF8AndSize(text.ptr(), &size);
  if (data == nullptr) throw py::error_already_set();
  return {data, static_cast<std::size_t>(size)};
}

py::bytes bytes_of(std::string_view view) {
  return {view.data(), view.size()};
}

py::bytes bytes_of(const KeyedBlake2b::Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

template <typename Kind>
Kind kind_from(const std::string& name, const std::vector<std::pair<const char*, Kind>>& kinds) {
  for (const auto& [known, kind] : kinds)
    if (name == known) return kind;
  throw Error(ErrorCode::invalid_argument, "kind: unknown: " + name);
}

EventMessages make_messages(const py::list& fields, const std::vector<int>& left, int item, int arm,
                            std::vector<std::string> itemless) {
  using Kind = EventMessageKind;
  std::vector<EventMessageField> made;
  for (const py::handle& each : fields) {
    const auto [number, name, kind, least, most, required] =
        each.cast<std::tuple<int, std::string, std::string, std::int64_t, std::int64_t, bool>>();
    made.push_back({number, name,
                    kind_from<Kind>(kind, {{"text", Kind::text},
                                           {"type", Kind::type},
                                           {"time", Kind::time},
                                           {"whole", Kind::whole},
                                           {"number", Kind::number},
                                           {"token", Kind::token},
                                           {"texts", Kind::texts}}),
                    least, most, required});
  }
  return {std::move(made), left, item, arm, std::move(itemless)};
}

py::object read_messages(const EventMessages& messages, const py::bytes& request, std::int64_t now, std::size_t most) {
  const std::string_view view = view_of(request);
  std::optional<EventMessages::Rows> found;
  {
    const py::gil_scoped_release released;
    found = messages.read(view, now, most);
  }
  if (!found) return py::none();
  py::list rows(found->rows.size());
  for (std::size_t i = 0; i < found->rows.size(); ++i) {
    const std::string& row = found->rows[i];
    rows[i] = row.empty() ? py::object(py::none()) : py::object(bytes_of(row));
  }
  py::list tokens(found->tokens.size());
  for (std::size_t i = 0; i < found->tokens.size(); ++i) {
    const EventMessages::Rows::Token& token = found->tokens[i];
    tokens[i] = py::make_tuple(token.row, py::str(token.text.data(), token.text.size()), token.has_arm);
  }
  return py::make_tuple(found->durability, rows, tokens);
}

EventRows make_rows(const py::list& fields, std::vector<std::string> itemless, std::string default_type,
                    const py::bytes& key) {
  using Kind = EventRowKind;
  std::vector<EventRowField> made;
  for (const py::handle& each : fields) {
    const auto [name, kind, most, count] =
        each.cast<std::tuple<std::string, std::string, std::int64_t, std::int64_t>>();
    made.push_back({name,
                    kind_from<Kind>(kind, {{"text", Kind::text},
                                           {"id", Kind::id},
                                           {"name", Kind::name},
                                           {"time", Kind::time},
                                           {"whole", Kind::whole},
                                           {"number", Kind::number},
                                           {"texts", Kind::texts}}),
                    most, count});
  }
  const std::string_view secret = view_of(key);
  const EventRows::Hashes hashes{KeyedBlake2b(secret, "user"), KeyedBlake2b(secret, "visitor"),
                                 KeyedBlake2b(secret, "event")};
  return {std::move(made), std::move(itemless), std::move(default_type), hashes};
}

py::list read_rows(const EventRows& rows, const py::list& maps, std::int64_t now) {
  const std::size_t count = maps.size();
  std::vector<std::string_view> views(count);  // of bytes that the list keeps
  for (std::size_t i = 0; i < count; ++i)
    if (PyBytes_Check(maps[i].ptr())) views[i] = view_of(maps[i]);
  std::vector<EventRow> read(count);
  std::vector<char> sound(count);
  {
    const py::gil_scoped_release released;
    for (std::size_t i = 0; i < count; ++i) sound[i] = static_cast<char>(rows.read(views[i], now, read[i]));
  }
  py::list made(count);
  for (std::size_t i = 0; i < count; ++i) {
    const EventRow& row = read[i];
    if (sound[i] == 0)
      made[i] = py::none();
    else
      made[i] = py::make_tuple(bytes_of(row.subject), bytes_of(row.event), row.time,
                               row.has_item ? py::object(py::str(row.item)) : py::object(py::none()), py::str(row.type),
                               bytes_of(row.packed), row.visitor);
  }
  return made;
}

py::bytes add_events(const UserRecords& records, const py::bytes& record, std::uint64_t version,
                     const py::list& events) {
  std::vector<RecordedEvent> made;
  made.reserve(events.size());
  for (const py::handle& each : events) {
    const auto event = py::reinterpret_borrow<py::tuple>(each);
    made.push_back({text_of(event[0]), text_of(event[1]), event[2].cast<std::int64_t>()});
  }
  return bytes_of(records.add(view_of(record), version, made));
}

/// The files are arrays `[2, n]` of the two halves; ids are 16 bytes each, big-endian.
py::list held_event_ids(const py::list& files, const py::list& ids) {
  std::vector<py::array_t<std::uint64_t>> arrays;
  std::vector<EventIdFile> views;
  for (const py::handle& each : files) {
    const auto& halves =
        arrays.emplace_back(checked<std::uint64_t>(py::reinterpret_borrow<py::object>(each), "files", 2));
    const auto count = static_cast<std::size_t>(halves.shape(1));
    require(halves.shape(0) == 2, [] { return std::string("files: expected arrays [2, n]"); });
    views.push_back({{halves.data(), count}, {halves.data() + count, count}});
  }
  std::vector<std::array<std::uint64_t, 2>> halves;
  for (const py::handle& id : ids) {
    require(PyBytes_Check(id.ptr()) && view_of(id).size() == 16,
            [] { return std::string("ids: expected 16 bytes each"); });
    std::array<std::uint64_t, 2>& both = halves.emplace_back();
    for (std::size_t i = 0; i < 16; ++i) both[i / 8] = both[i / 8] << 8U | static_cast<std::uint8_t>(view_of(id)[i]);
  }
  std::vector<char> held(halves.size());
  {
    const py::gil_scoped_release released;
    for (const EventIdFile& file : views)
      for (std::size_t i = 0; i < halves.size(); ++i)
        if (held[i] == 0 && holds_event_id(file, halves[i][0], halves[i][1])) held[i] = 1;
  }
  py::list found;
  for (std::size_t i = 0; i < held.size(); ++i)
    if (held[i] != 0) found.append(ids[i]);
  return found;
}

py::object heads_of_frame(const py::bytes& data, std::size_t start, std::size_t end, std::size_t count) {
  const std::string_view view = view_of(data);
  require(start <= end && end <= view.size(), [] { return std::string("start, end: expected a place in the data"); });
  const auto heads = frame_heads(view.substr(start, end - start), count);
  if (!heads) return py::none();
  return py::make_tuple(heads->events, heads->oldest, heads->newest, bytes_of(heads->ids));
}

}  // namespace

void register_events(py::module_& module) {
  py::class_<EventMessages>(module, "EventMessages")
      .def(py::init(&make_messages), py::arg("fields"), py::arg("left"), py::arg("item"), py::arg("arm"),
           py::arg("itemless"))
      .def("read", &read_messages, py::arg("request"), py::arg("now"), py::arg("most"));
  py::class_<EventRows>(module, "EventRows")
      .def(py::init(&make_rows), py::arg("fields"), py::arg("itemless"), py::arg("default_type"), py::arg("key"))
      .def("read", &read_rows, py::arg("rows"), py::arg("now"));
  module.def("held_event_ids", &held_event_ids, py::arg("files"), py::arg("ids"));
  module.def("frame_heads", &heads_of_frame, py::arg("data"), py::arg("start"), py::arg("end"), py::arg("count"));
  py::class_<UserRecords>(module, "UserRecords")
      .def(py::init<std::int64_t, std::int64_t, std::unordered_map<std::string, double>,
                    std::unordered_set<std::string>>(),
           py::arg("max_recent"), py::arg("max_seen"), py::arg("weights"), py::arg("seen"))
      .def("add", &add_events, py::arg("record"), py::arg("version"), py::arg("events"));
}

}  // namespace recocore::bindings
