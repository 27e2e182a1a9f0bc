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
#include "byte_views.hpp"
#include "module.hpp"
#include "recocore/error.hpp"
#include "recocore/event_log.hpp"
#include "recocore/event_messages.hpp"
#include "recocore/event_rows.hpp"
#include "recocore/user_records.hpp"

namespace recocore::bindings {
namespace {

py::bytes digest_bytes(const KeyedBlake2b::Digest& digest) {
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
      made[i] = py::make_tuple(digest_bytes(row.subject), digest_bytes(row.event), row.time, bytes_of(row.packed),
                               row.visitor);
  }
  return made;
}

UserRecords make_records(std::size_t recent, std::size_t seen, std::size_t profile_bytes,
                         std::unordered_map<std::string, double> weights, std::unordered_set<std::string> seen_types,
                         const std::vector<std::size_t>& places, std::string purpose) {
  require(places.size() == 16, [&] { return "places: expected 16, got " + std::to_string(places.size()); });
  RecordBounds bounds{recent, seen, profile_bytes, std::move(weights), std::move(seen_types), std::move(purpose)};
  const auto at = places.begin();
  return {std::move(bounds),
          {at[0], at[1], at[2], at[3], at[4], at[5], at[6], at[7], at[8], at[9], at[10], at[11], at[12], at[13], at[14],
           at[15]}};
}

py::bytes add_events(const UserRecords& records, const py::bytes& record, std::uint64_t version, const py::list& rows) {
  return bytes_of(records.add(view_of(record), version, views_of(rows, "rows")));
}

/// The halves of ids of 16 bytes, which are big-endian.
std::vector<std::array<std::uint64_t, 2>> halves_of(const py::list& ids) {
  std::vector<std::array<std::uint64_t, 2>> halves;
  halves.reserve(ids.size());
  for (const py::handle& id : ids) {
    require(PyBytes_Check(id.ptr()) && view_of(id).size() == 16,
            [] { return std::string("ids: expected 16 bytes each"); });
    std::array<std::uint64_t, 2>& both = halves.emplace_back();
    for (std::size_t i = 0; i < 16; ++i) both[i / 8] = both[i / 8] << 8U | static_cast<std::uint8_t>(view_of(id)[i]);
  }
  return halves;
}

/// A file is an array `[2, n]` of the two halves, which the caller keeps.
EventIdFile file_of(const py::array_t<std::uint64_t>& halves) {
  const auto count = static_cast<std::size_t>(halves.shape(1));
  require(halves.shape(0) == 2, [] { return std::string("files: expected arrays [2, n]"); });
  return {{halves.data(), count}, {halves.data() + count, count}};
}

py::list held_event_ids(const py::list& files, const py::list& ids) {
  std::vector<py::array_t<std::uint64_t>> arrays;
  std::vector<EventIdFile> views;
  for (const py::handle& each : files)
    views.push_back(
        file_of(arrays.emplace_back(checked<std::uint64_t>(py::reinterpret_borrow<py::object>(each), "files", 2))));
  const auto halves = halves_of(ids);
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

void add_event_ids(EventIdFilter& filter, const py::object& file) {
  const auto halves = checked<std::uint64_t>(file, "file", 2);
  const EventIdFile view = file_of(halves);
  const py::gil_scoped_release released;
  filter.add(view);
}

py::list passing_event_ids(const EventIdFilter& filter, const py::list& ids) {
  const auto halves = halves_of(ids);
  py::list passing;
  for (std::size_t i = 0; i < halves.size(); ++i)
    if (filter.may_hold(halves[i][0], halves[i][1])) passing.append(ids[i]);
  return passing;
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
  py::class_<EventIdFilter>(module, "EventIdFilter")
      .def(py::init<std::size_t>(), py::arg("ids"))
      .def("add", &add_event_ids, py::arg("file"))
      .def("passing", &passing_event_ids, py::arg("ids"));
  module.def("held_event_ids", &held_event_ids, py::arg("files"), py::arg("ids"));
  module.def("frame_heads", &heads_of_frame, py::arg("data"), py::arg("start"), py::arg("end"), py::arg("count"));
  py::class_<UserRecords>(module, "UserRecords")
      .def(py::init(&make_records), py::arg("max_recent"), py::arg("max_seen"), py::arg("profile_bytes"),
           py::arg("weights"), py::arg("seen_types"), py::arg("places"), py::arg("purpose"))
      .def("add", &add_events, py::arg("record"), py::arg("version"), py::arg("rows"));
}

}  // namespace recocore::bindings
