// One user's profile from what their record keeps of their events.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "recocore/profile_reader.hpp"
#include "recocore/profiles.hpp"

namespace recocore {

/// The names that a record keeps of an event.
enum class KeptName : std::uint8_t { type, category, brand, channel, query, tags };

/// What a configuration says of kept events beside the plan.
struct KeptReading {
  std::vector<std::string> types;    // by code; what is none of them has the code after the last
  std::vector<KeptName> dimensions;  // those of the plan, in its order
  KeptName path = KeptName::type;
  std::vector<std::string> offered;  // the categories of the offers, by code
  std::string currency;              // of all money; empty: that of the newest event that names one
  int digits = -1;                   // of the minor unit; -1: those of the currency
  int usual_digits = 2;
  std::map<std::string, int, std::less<>> other_digits;  // by currency, in capitals
  std::function<std::string(std::string_view)> term;     // a search term trimmed and in lower case
};

/// A profile of kept events.
struct KeptProfile {
  ProfileRow row;  // its codes are of KeptProfileReader::vocabularies()
  std::int64_t left_out = kNone;
  std::string currency;  // of its money, empty where no event names one
  int digits = 2;
};

/// Makes profiles of packed events: those that a ProfileReader makes of a log of the same events. Money that is no
/// whole number of minor units, or of another currency, counts as absent. One thread at a time, but for `reading.term`,
/// while which others may call.
class KeptProfileReader {
 public:
  /// Of the plan's zones the first is the user's.
  ///
  /// \throws Error{invalid_argument} for a plan, offers, a rule or names that do not fit.
  KeptProfileReader(KeptReading reading, const ProfilePlan& plan, PriceOffers offers, const SendRule& rule);
  ~KeptProfileReader();
  KeptProfileReader(const KeptProfileReader&) = delete;
  KeptProfileReader& operator=(const KeptProfileReader&) = delete;

  /// The profile of what several records keep of one person; nothing where no event happened before `as_of`.
  /// O(events log(events)).
  ///
  /// \throws Error{corrupt} for bytes that KeptEvents::pack() did not write; Error{invalid_argument} for numbers that
  /// no event of a profile may have.
  [[nodiscard]] std::optional<KeptProfile> read(std::span<const std::span<const std::uint8_t>> parts,
                                                std::int64_t as_of);

  /// The names of the codes of the profile that was read last, until the next is.
  [[nodiscard]] const ProfileVocabularies& vocabularies() const noexcept;
  [[nodiscard]] const ProfilePlan& plan() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace recocore
