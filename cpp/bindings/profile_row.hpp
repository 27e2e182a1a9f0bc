// One user's profile as plain Python values.
#pragma once

#include <pybind11/pybind11.h>

#include <string_view>
#include <vector>

#include "recocore/profile_reader.hpp"

namespace recocore::bindings {

/// Makes dicts of profiles; keeps their keys.
class ProfileRowDict {
 public:
  ProfileRowDict();

  /// What profile_batch and send_windows say of one user, None where there is nothing; None where the user has no
  /// event.
  [[nodiscard]] pybind11::object of(const ProfileRow& row, const ProfilePlan& plan,
                                    const ProfileVocabularies& vocabularies) const;

 private:
  [[nodiscard]] pybind11::tuple interest(const ProfileInterests& given, const Vocabulary* names) const;
  [[nodiscard]] pybind11::list paths(const ProfileColumns& columns, const Vocabulary& names) const;
  [[nodiscard]] pybind11::list terms(const ProfileColumns& columns, const Vocabulary& names) const;
  [[nodiscard]] pybind11::list hours(const ProfileColumns& columns) const;

  std::vector<pybind11::str> integer_names_, real_names_;
  pybind11::str name_, weight_, from_, to_, count_, term_, hour_;
  pybind11::str type_counts_, interests_, paths_, search_terms_, active_hours_, send_hour_, send_share_;
};

/// Text as Python has it.
[[nodiscard]] pybind11::str text(std::string_view name);

}  // namespace recocore::bindings
