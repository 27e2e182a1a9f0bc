#include <pybind11/stl.h>

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "arrays.hpp"
#include "module.hpp"
#include "profile_arguments.hpp"
#include "profile_row.hpp"
#include "recocore/error.hpp"
#include "recocore/kept_events.hpp"
#include "recocore/kept_profiles.hpp"

namespace recocore::bindings {
namespace {

std::span<const std::uint8_t> bytes_of(const py::bytes& bytes) {
  const std::string_view text = bytes;
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

/// The fields of an event, in the order of kept_events_add().
class Fields {
 public:
  explicit Fields(const py::handle& row) : row_(row.cast<py::tuple>()) {
    require(row_.size() == 16, [] { return std::string("rows: expected 16 fields"); });
  }
  [[nodiscard]] std::int64_t whole(std::size_t place) const {
    return row_[place].is_none() ? kNone : row_[place].cast<std::int64_t>();
  }
  [[nodiscard]] double real(std::size_t place) const {
    return row_[place].is_none() ? std::numeric_limits<double>::quiet_NaN() : row_[place].cast<double>();
  }
  [[nodiscard]] std::uint64_t hash(std::size_t place) const {
    return row_[place].is_none() ? 0 : hash_name(row_[place].cast<std::string_view>());
  }
  [[nodiscard]] std::int32_t name(std::size_t place, KeptEvents& kept) const {
    return row_[place].is_none() ? -1 : kept.intern(row_[place].cast<std::string_view>());
  }
  /// Places of distinct names in the order of their bytes.
  [[nodiscard]] std::vector<std::int32_t> names(std::size_t place, KeptEvents& kept) const {
    std::vector<std::int32_t> places;
    if (row_[place].is_none()) return places;
    auto given = row_[place].cast<std::vector<std::string_view>>();
    std::ranges::sort(given);
    for (const std::string_view name : given) {
      const std::int32_t at = kept.intern(name);
      if (std::ranges::find(places, at) == places.end()) places.push_back(at);
    }
    return places;
  }
  [[nodiscard]] bool present(std::size_t place) const { return !row_[place].is_none(); }

 private:
  py::tuple row_;
};

py::bytes kept_events_add(const py::bytes& packed, const py::list& rows, std::size_t limit, std::int64_t cutoff) {
  KeptEvents kept = KeptEvents::unpack(bytes_of(packed));
  std::vector<KeptEvent> events;
  events.reserve(rows.size());
  for (const auto& row : rows) {
    const Fields fields(row);
    KeptEvent event;
    event.time = fields.whole(0);
    event.type = fields.name(1, kept);
    require(event.time != kNone && event.type >= 0,
            [] { return std::string("rows: expected a time and a type in each"); });
    event.item = fields.hash(2);
    event.session = fields.hash(3);
    event.order = fields.hash(4);
    event.value = fields.real(5);
    event.price = fields.real(6);
    event.currency = fields.name(7, kept);
    event.quantity = fields.whole(8);
    event.dwell = fields.whole(9);
    event.query = fields.name(10, kept);
    event.coupon = fields.present(11);
    event.category = fields.name(12, kept);
    event.brand = fields.name(13, kept);
    event.channel = fields.name(14, kept);
    event.tags = fields.names(15, kept);
    events.push_back(std::move(event));
  }
  kept.add(events);
  const auto out = kept.pack(limit, cutoff);
  return {reinterpret_cast<const char*>(out.data()), out.size()};
}

std::vector<std::int64_t> kept_events_times(const py::bytes& packed) {
  const KeptEvents kept = KeptEvents::unpack(bytes_of(packed));
  std::vector<std::int64_t> times;
  for (const KeptEvent& event : kept.events()) times.push_back(event.time);
  return times;
}

KeptName kept_name(const std::string& name) {
  constexpr std::array<std::pair<std::string_view, KeptName>, 6> kNames{{{"type", KeptName::type},
                                                                         {"category", KeptName::category},
                                                                         {"brand", KeptName::brand},
                                                                         {"channel", KeptName::channel},
                                                                         {"query", KeptName::query},
                                                                         {"tags", KeptName::tags}}};
  const auto* const found = std::ranges::find(kNames, name, &std::pair<std::string_view, KeptName>::first);
  require(found != kNames.end(), [&] { return "dimensions, path: expected a name that records keep, got " + name; });
  return found->second;
}

/// Profiles of what records keep, as plain Python values.
class KeptReader {
 public:
  KeptReader(const py::dict& reading, const py::dict& plan, const py::object& offers, const py::dict& rule)
      : reader_(reading_of(reading), plan_of(plan), offers_of(offers), rule_of(rule)) {}

  /// (profile, newest time that was left out or None, currency or None, digits); None where there is no profile.
  py::object read(const py::list& parts, std::int64_t as_of) {
    std::vector<std::span<const std::uint8_t>> spans;
    for (const auto& part : parts) spans.push_back(bytes_of(part.cast<py::bytes>()));
    const auto made = reader_.read(spans, as_of);
    if (!made) return py::none();
    const auto or_none = [](bool there, const auto& value) { return there ? py::cast(value) : py::none(); };
    return py::make_tuple(rows_.of(made->row, reader_.plan(), reader_.vocabularies()),
                          or_none(made->left_out != kNone, made->left_out),
                          or_none(!made->currency.empty(), made->currency), made->digits);
  }

 private:
  static KeptReading reading_of(const py::dict& given) {
    KeptReading reading;
    reading.types = given["types"].cast<std::vector<std::string>>();
    for (const auto& name : given["dimensions"].cast<std::vector<std::string>>())
      reading.dimensions.push_back(kept_name(name));
    reading.path = kept_name(given["path"].cast<std::string>());
    reading.offered = given["offered"].cast<std::vector<std::string>>();
    reading.currency = given["currency"].cast<std::string>();
    reading.digits = given["digits"].cast<int>();
    reading.usual_digits = given["usual_digits"].cast<int>();
    for (const auto& [name, digits] : given["other_digits"].cast<py::dict>())
      reading.other_digits.emplace(name.cast<std::string>(), digits.cast<int>());
    reading.term = [spell = given["term"].cast<py::object>()](std::string_view name) {
      return spell(text(name)).cast<std::string>();
    };
    return reading;
  }

  KeptProfileReader reader_;
  ProfileRowDict rows_;
};

}  // namespace

void register_kept_events(py::module_& module) {
  module.def("kept_events_add", &kept_events_add, py::arg("packed"), py::arg("rows"), py::arg("limit"),
             py::arg("cutoff"),
             "Packed events with further ones: tuples of time, type, item, session, order, value, price, currency, "
             "quantity, dwell, query, coupon, category, brand, channel and a list of tags, None where absent.");
  module.def("kept_events_times", &kept_events_times, py::arg("packed"), "The times of packed events, ascending.");
  py::class_<KeptReader>(module, "KeptReader", "Profiles of what records keep, as plain values.")
      .def(py::init<const py::dict&, const py::dict&, const py::object&, const py::dict&>(), py::arg("reading"),
           py::arg("plan"), py::arg("offers"), py::arg("rule"))
      .def("read", &KeptReader::read, py::arg("parts"), py::arg("as_of"),
           "(what ProfileReader.read says, the newest time that was left out or None, the currency or None, digits) of "
           "packed events in several parts; None where there is no event before `as_of`.");
}

}  // namespace recocore::bindings
