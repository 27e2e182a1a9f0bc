#include <pybind11/stl.h>

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "arrays.hpp"
#include "module.hpp"
#include "recocore/kept_events.hpp"
#include "recocore/name_sets.hpp"

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

template <typename T, typename Field>
py::array_t<T> column(std::span<const KeptEvent> events, const Field& field) {
  py::array_t<T> values(static_cast<py::ssize_t>(events.size()));
  T* out = values.mutable_data();
  for (const KeptEvent& event : events) *out++ = field(event);
  return values;
}

/// The place among `sets` of each event's tags, -1 where it has none; the sets are named as NameSets has them.
py::array_t<std::int32_t> tag_sets(const KeptEvents& kept, py::list& sets) {
  std::unordered_map<std::string, std::int32_t> places;
  return column<std::int32_t>(kept.events(), [&](const KeptEvent& event) {
    std::vector<std::string_view> tags;
    for (const std::int32_t tag : event.tags) tags.push_back(kept.names()[static_cast<std::size_t>(tag)]);
    const auto joined = NameSets::joined(std::move(tags));
    if (!joined || joined->empty()) return -1;
    const auto [found, added] = places.try_emplace(*joined, static_cast<std::int32_t>(places.size()));
    if (added) sets.append(py::str(*joined));
    return found->second;
  });
}

py::dict kept_events_read(const py::list& parts) {
  KeptEvents kept;
  for (const auto& part : parts) kept.merge(KeptEvents::unpack(bytes_of(part.cast<py::bytes>())));
  const auto events = kept.events();
  py::dict out;
  py::list names;
  for (const std::string& name : kept.names()) names.append(py::str(name));
  out["names"] = names;
  out["left_out"] = kept.left_out();
  const auto put = [&]<typename T>(const char* name, T KeptEvent::* field) {
    out[name] = column<T>(events, [field](const KeptEvent& event) { return event.*field; });
  };
  put("times", &KeptEvent::time);
  put("types", &KeptEvent::type);
  put("items", &KeptEvent::item);
  put("sessions", &KeptEvent::session);
  put("orders", &KeptEvent::order);
  put("value", &KeptEvent::value);
  put("price", &KeptEvent::price);
  put("currency", &KeptEvent::currency);
  put("quantities", &KeptEvent::quantity);
  put("dwell", &KeptEvent::dwell);
  put("query", &KeptEvent::query);
  put("category", &KeptEvent::category);
  put("brand", &KeptEvent::brand);
  put("channel", &KeptEvent::channel);
  py::list sets;
  out["tags"] = tag_sets(kept, sets);
  out["tag_sets"] = sets;
  out["coupons"] = column<std::int32_t>(events, [](const KeptEvent& event) { return event.coupon ? 0 : -1; });
  return out;
}

}  // namespace

void register_kept_events(py::module_& module) {
  module.def("kept_events_add", &kept_events_add, py::arg("packed"), py::arg("rows"), py::arg("limit"),
             py::arg("cutoff"),
             "Packed events with further ones: tuples of time, type, item, session, order, value, price, currency, "
             "quantity, dwell, query, coupon, category, brand, channel and a list of tags, None where absent.");
  module.def(
      "kept_events_read", &kept_events_read, py::arg("parts"),
      "Packed events of several parts as columns, by time; names by their places in `names`, tags in `tag_sets`.");
}

}  // namespace recocore::bindings
