#include <pybind11/stl.h>

#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "byte_views.hpp"
#include "module.hpp"
#include "recocore/aead.hpp"
#include "recocore/sealed.hpp"
#include "recocore/user_records.hpp"

namespace recocore::bindings {
namespace {

/// Bytes that are yet to be written.
py::bytes room_for(std::size_t size) {
  PyObject* made = PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(size));
  if (made == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::bytes>(made);
}

// The GIL stays with these two: they take microseconds.

py::bytes encrypt(const Aead& aead, const py::bytes& nonce, const py::bytes& plain, const py::bytes& authenticated) {
  const std::string_view text = view_of(plain);
  py::bytes sealed = room_for(text.size() + Aead::kTagBytes);
  aead.encrypt(view_of(nonce), text, view_of(authenticated), PyBytes_AS_STRING(sealed.ptr()));
  return sealed;
}

py::object decrypt(const Aead& aead, const py::bytes& nonce, const py::bytes& sealed, const py::bytes& authenticated) {
  const std::string_view text = view_of(sealed);
  if (text.size() < Aead::kTagBytes) return py::none();
  py::bytes plain = room_for(text.size() - Aead::kTagBytes);
  if (!aead.decrypt(view_of(nonce), text, view_of(authenticated), PyBytes_AS_STRING(plain.ptr()))) return py::none();
  return plain;
}

/// A list of as many objects as there are rows or records, all of one class.
template <typename Class>
std::vector<const Class*> pointers_of(const py::list& list) {
  std::vector<const Class*> pointers;
  pointers.reserve(list.size());
  for (const py::handle& each : list) pointers.push_back(each.cast<const Class*>());
  return pointers;
}

void check_sizes(std::size_t count, std::initializer_list<std::size_t> sizes, std::string_view nonces) {
  for (const std::size_t size : sizes)
    require(size == count,
            [&] { return "columns: expected " + std::to_string(count) + " values each, got " + std::to_string(size); });
  require(nonces.size() == Aead::kNonceBytes * count, [&] {
    return "nonces: expected 12 bytes for each of " + std::to_string(count) + ", got " + std::to_string(nonces.size());
  });
}

std::string_view nonce_of(std::string_view nonces, std::size_t at) {
  return nonces.substr(Aead::kNonceBytes * at, Aead::kNonceBytes);
}

py::list sealed_rows(std::uint8_t kind, std::uint64_t commit, const py::list& ciphers,
                     const std::vector<std::uint32_t>& slots, const std::vector<std::int64_t>& times,
                     const py::list& subjects, const py::list& events, const py::list& plains,
                     const py::bytes& nonces) {
  const auto aeads = pointers_of<Aead>(ciphers);
  const auto subject_views = views_of(subjects, "subjects"), event_views = views_of(events, "events"),
             plain_views = views_of(plains, "plains");
  const std::size_t count = aeads.size();
  check_sizes(count, {slots.size(), times.size(), subjects.size(), events.size(), plains.size()}, view_of(nonces));
  py::list rows(count);
  std::vector<char*> room(count);
  for (std::size_t i = 0; i < count; ++i) {
    py::bytes row = room_for(row_bytes(plain_views[i]));
    room[i] = PyBytes_AS_STRING(row.ptr());
    rows[i] = std::move(row);
  }
  const std::string_view all_nonces = view_of(nonces);
  const py::gil_scoped_release released;
  for (std::size_t i = 0; i < count; ++i)
    seal_row({kind, slots[i], times[i], subject_views[i], event_views[i]}, plain_views[i], commit, *aeads[i],
             nonce_of(all_nonces, i), room[i]);
  return rows;
}

py::list sealed_records(const UserRecords& records, const py::list& ciphers, const std::vector<std::uint32_t>& slots,
                        const py::list& subjects, const py::list& packed, const std::vector<std::uint64_t>& versions,
                        const py::list& told, const py::bytes& nonces) {
  const auto aeads = pointers_of<Aead>(ciphers);
  const auto subject_views = views_of(subjects, "subjects"), packed_views = views_of(packed, "packed");
  const std::size_t count = aeads.size();
  check_sizes(count, {slots.size(), subjects.size(), packed.size(), versions.size(), told.size()}, view_of(nonces));
  std::vector<std::vector<std::string_view>> rows;
  rows.reserve(count);
  for (const py::handle& each : told) rows.push_back(views_of(py::reinterpret_borrow<py::list>(each), "told"));
  struct Made {
    std::string record, value;
    std::uint64_t added;
  };
  std::vector<Made> made(count);
  const std::string_view all_nonces = view_of(nonces);
  {
    const py::gil_scoped_release released;
    for (std::size_t i = 0; i < count; ++i) {
      Made& each = made[i];
      each.record = records.add(packed_views[i], versions[i], rows[i]);
      each.value = seal_entry(subject_views[i], slots[i], each.record, *aeads[i], nonce_of(all_nonces, i));
      each.added = entry_sum(subject_views[i], each.value);
    }
  }
  py::list answer(count);
  for (std::size_t i = 0; i < count; ++i)
    answer[i] = py::make_tuple(bytes_of(made[i].record), bytes_of(made[i].value), made[i].added);
  return answer;
}

py::list opened_entries(const py::list& entries, int descriptor, const py::bytes& authenticated,
                        const py::dict& masters) {
  std::vector<std::pair<std::uint32_t, const Aead*>> known;
  for (const auto& [number, aead] : masters) known.emplace_back(number.cast<std::uint32_t>(), aead.cast<const Aead*>());
  const UserKeyFile keys{descriptor, view_of(authenticated), known};
  py::list opened(entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto [subject, value] = entries[i].cast<std::pair<py::bytes, py::bytes>>();
    std::optional<OpenedEntry> each = open_entry(view_of(subject), view_of(value), keys);
    if (each)
      opened[i] = py::make_tuple(each->slot, py::cast(std::move(each->aead)), bytes_of(each->record), each->added);
    else
      opened[i] = py::none();
  }
  return opened;
}

}  // namespace

void register_sealed(py::module_& module) {
  py::class_<Aead>(module, "Aead", py::is_final())
      .def(py::init([](const py::bytes& key) { return std::make_unique<Aead>(view_of(key)); }), py::arg("key"))
      .def_static("is_available", &Aead::is_available)
      .def("encrypt", &encrypt, py::arg("nonce"), py::arg("data"), py::arg("associated_data"))
      .def("decrypt", &decrypt, py::arg("nonce"), py::arg("data"), py::arg("associated_data"));
  module.def("sealed_rows", &sealed_rows, py::arg("kind"), py::arg("commit"), py::arg("ciphers"), py::arg("slots"),
             py::arg("times"), py::arg("subjects"), py::arg("events"), py::arg("plains"), py::arg("nonces"));
  module.def("sealed_records", &sealed_records, py::arg("records"), py::arg("ciphers"), py::arg("slots"),
             py::arg("subjects"), py::arg("packed"), py::arg("versions"), py::arg("told"), py::arg("nonces"));
  module.def("opened_entries", &opened_entries, py::arg("entries"), py::arg("descriptor"), py::arg("authenticated"),
             py::arg("masters"));
  module.def(
      "entry_sum",
      [](const py::bytes& key, const py::bytes& value) {
        require(view_of(key).size() == 16 && view_of(value).size() >= 8,
                [] { return std::string("key, value: expected 16 bytes and at least 8"); });
        return entry_sum(view_of(key), view_of(value));
      },
      py::arg("key"), py::arg("value"));
}

}  // namespace recocore::bindings
