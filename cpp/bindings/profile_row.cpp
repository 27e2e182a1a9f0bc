#include "profile_row.hpp"

#include <cmath>
#include <string>
#include <utility>

#include "recocore/name_sets.hpp"

namespace recocore::bindings {

namespace py = pybind11;

namespace {

py::object whole(std::int64_t number) {
  if (number == kNone) return py::none();
  return py::int_(number);
}

py::object real(double number) {
  if (std::isnan(number)) return py::none();
  return py::float_(number);
}

py::str key(const char* name) {
  return py::reinterpret_steal<py::str>(PyUnicode_InternFromString(name));
}

}  // namespace

py::str text(std::string_view name) {
  return {name.data(), name.size()};
}

ProfileRowDict::ProfileRowDict()
    : name_(key("name")),
      weight_(key("weight")),
      from_(key("from")),
      to_(key("to")),
      count_(key("count")),
      term_(key("term")),
      hour_(key("hour")),
      type_counts_(key("type_counts")),
      interests_(key("interests")),
      paths_(key("paths")),
      search_terms_(key("search_terms")),
      active_hours_(key("active_hours")),
      send_hour_(key("send_hour")),
      send_share_(key("send_share")) {
  for (const char* name : kProfileIntegers) integer_names_.push_back(key(name));
  for (const char* name : kProfileReals) real_names_.push_back(key(name));
}

py::object ProfileRowDict::of(const ProfileRow& row, const ProfilePlan& plan,
                              const ProfileVocabularies& vocabularies) const {
  const ProfileColumns& columns = row.columns;
  if (columns.integers[static_cast<std::size_t>(ProfileInteger::n_events)][0] == 0) return py::none();
  py::dict out;
  for (std::size_t i = 0; i < integer_names_.size(); ++i) out[integer_names_[i]] = whole(columns.integers[i][0]);
  for (std::size_t i = 0; i < real_names_.size(); ++i) out[real_names_[i]] = real(columns.reals[i][0]);
  py::list counts;
  for (const auto& column : columns.type_counts) counts.append(py::int_(column[0]));
  out[type_counts_] = counts;
  py::list interests;
  for (std::size_t i = 0; i < columns.interests.size(); ++i) {
    const Vocabulary* names = nullptr;
    if (std::cmp_equal(i, plan.tags)) {
      names = &vocabularies.tags->names();
    } else if (std::cmp_less(i, plan.dimensions)) {
      names = vocabularies.dimensions[i];
    }
    interests.append(interest(columns.interests[i], names));
  }
  out[interests_] = interests;
  out[paths_] = paths(columns, *vocabularies.path);
  out[search_terms_] = terms(columns, *vocabularies.query);
  out[active_hours_] = hours(columns);
  out[send_hour_] = whole(row.send_hour);
  out[send_share_] = row.send_hour == kNone ? py::object(py::none()) : py::object(py::float_(row.send_share));
  return out;
}

/// (names and weights, their total, the part that is not listed).
py::tuple ProfileRowDict::interest(const ProfileInterests& given, const Vocabulary* names) const {
  py::list listed;
  for (std::size_t i = 0; i < given.codes.size() && given.codes[i] >= 0; ++i) {
    py::dict entry;
    // Price bands count from 1.
    entry[name_] = names != nullptr ? text(names->name(given.codes[i])) : text(std::to_string(given.codes[i] + 1));
    entry[weight_] = py::float_(given.weights[i]);
    listed.append(entry);
  }
  return py::make_tuple(listed, given.total[0], given.truncated[0]);
}

py::list ProfileRowDict::paths(const ProfileColumns& columns, const Vocabulary& names) const {
  py::list listed;
  for (std::size_t i = 0; i < columns.path_from.size() && columns.path_from[i] >= 0; ++i) {
    py::dict entry;
    entry[from_] = text(names.name(columns.path_from[i]));
    entry[to_] = text(names.name(columns.path_to[i]));
    entry[count_] = py::int_(columns.path_counts[i]);
    listed.append(entry);
  }
  return listed;
}

py::list ProfileRowDict::terms(const ProfileColumns& columns, const Vocabulary& names) const {
  py::list listed;
  for (std::size_t i = 0; i < columns.term_codes.size() && columns.term_codes[i] >= 0; ++i) {
    py::dict entry;
    entry[term_] = text(names.name(columns.term_codes[i]));
    entry[count_] = py::int_(columns.term_counts[i]);
    listed.append(entry);
  }
  return listed;
}

py::list ProfileRowDict::hours(const ProfileColumns& columns) const {
  py::list listed;
  for (std::size_t i = 0; i < columns.hours.size(); ++i) {
    py::dict entry;
    entry[hour_] = py::int_(columns.hours[i]);
    entry[count_] = py::int_(columns.hour_counts[i]);
    listed.append(entry);
  }
  return listed;
}

}  // namespace recocore::bindings
