#include <array>
#include <cstdint>
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

// The GIL stays with each of these: they take microseconds.

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

py::bytes sealed_row(const Aead& aead, std::uint8_t kind, std::uint32_t slot, std::int64_t time,
                     const py::bytes& subject, const py::bytes& event, const py::bytes& plain, std::uint64_t commit,
                     const py::bytes& nonce) {
  return bytes_of(
      seal_row({kind, slot, time, view_of(subject), view_of(event)}, view_of(plain), commit, aead, view_of(nonce)));
}

py::tuple sealed_record(const UserRecords& records, const Aead& aead, const py::bytes& record, std::uint64_t version,
                        const py::list& rows, const py::bytes& subject, std::uint32_t slot, const py::bytes& nonce) {
  const std::string added = records.add(view_of(record), version, views_of(rows, "rows"));
  const std::string value = seal_entry(view_of(subject), slot, added, aead, view_of(nonce));
  return py::make_tuple(bytes_of(added), bytes_of(value), entry_sum(view_of(subject), value));
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
  module.def("sealed_row", &sealed_row, py::arg("aead"), py::arg("kind"), py::arg("slot"), py::arg("time"),
             py::arg("subject"), py::arg("event"), py::arg("plain"), py::arg("commit"), py::arg("nonce"));
  module.def("sealed_record", &sealed_record, py::arg("records"), py::arg("aead"), py::arg("record"),
             py::arg("version"), py::arg("rows"), py::arg("subject"), py::arg("slot"), py::arg("nonce"));
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
