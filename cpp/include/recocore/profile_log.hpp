// The state of a stream of events: each user's events, packed, from which profiles are computed as from a batch.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "recocore/interner.hpp"
#include "recocore/name_sets.hpp"
#include "recocore/profiles.hpp"

namespace recocore {

/// What the packing of an event refers to: the event before it.
struct PackedBefore {
  std::int64_t time = 0;
  std::uint64_t session = 0;
  std::uint64_t order = 0;
};

/// An event whose names are not coded yet; those of `event` are overwritten.
struct NamedEvent {
  ProfileEvent event;
  std::string_view user;
  std::optional<std::string_view> query, path;
  std::array<std::optional<std::string_view>, kMaxDimensions> dimensions;
};

/// The events of every user, some 40 bytes each. An event is appended in constant time; repeats of ids go when a user's
/// events have doubled. One thread at a time.
class ProfileLog {
 public:
  /// For events of `dimensions` dimensions and `types` types; the names of dimension `tags`, if not -1, are sets.
  ProfileLog(int dimensions, int types, int tags = -1);

  /// Appends a batch whose codes are of `vocabularies` and whose users are names of `users`: all of it or, where
  /// something does not fit, nothing.
  void append(const ProfileBatch& batch, const ProfileVocabularies& vocabularies, const Vocabulary& users);

  /// Appends one event, whose names come with it and whose numbers fit as those of a batch have to.
  void append(const NamedEvent& event);

  /// Appends what another log of the same dimensions and types holds.
  void merge(const ProfileLog& other);

  /// Drops a user; whether there was one. The name keeps its code.
  bool forget(std::string_view user);

  /// Drops what happened before `time`; how many events that were.
  std::int64_t drop_before(std::int64_t time);

  /// The profiles of the users with these codes, or of all by code where `users` is empty and `all` holds.
  [[nodiscard]] ProfileColumns profiles(const ProfilePlan& plan, std::span<const std::int32_t> users, bool all,
                                        std::span<const std::int32_t> user_zones, PriceOffers& offers, bool fit_offers,
                                        const Execution& execution) const;

  /// The events of the user with this code, in the order in which they came.
  ///
  /// \throws Error{invalid_argument} for a code that nobody has.
  void read(std::int32_t user, std::vector<ProfileEvent>& events) const;

  /// \throws Error{invalid_argument} for a plan of other dimensions or types.
  void check(const ProfilePlan& plan) const;

  /// The names of all codes; they stay where they are, and become more.
  [[nodiscard]] ProfileVocabularies vocabularies() const;

  [[nodiscard]] const Interner& users() const noexcept { return users_; }
  [[nodiscard]] const Interner& dimension(int d) const { return dimensions_[static_cast<std::size_t>(d)]; }
  /// The sets of the dimension of tags.
  [[nodiscard]] const NameSets& tags() const noexcept { return tags_; }
  [[nodiscard]] const Interner& query() const noexcept { return query_; }
  [[nodiscard]] const Interner& path() const noexcept { return path_; }
  [[nodiscard]] int dimensions() const noexcept { return n_dimensions_; }
  [[nodiscard]] std::int64_t events() const noexcept;
  /// The memory held: ids, names and events.
  [[nodiscard]] std::int64_t bytes() const noexcept;

  /// A user's packed events, for files.
  [[nodiscard]] std::span<const std::uint8_t> packed(std::int32_t user) const;
  /// Makes an empty log what another was: names by code, then each user's packed events, which are checked.
  ///
  /// \throws Error{corrupt} for events that were not packed by this class.
  void restore(const ProfileVocabularies& vocabularies, const Vocabulary& users,
               std::span<const std::int64_t> packed_begins, std::span<const std::uint8_t> packed);

 private:
  struct Record {
    std::vector<std::uint8_t> packed;
    PackedBefore last;
    std::uint32_t events = 0;
    std::uint32_t clean = 0;  // events after the last look for repeats
  };
  class Users;

  void append(Record& record, const ProfileEvent& event);
  void follow_tags();
  void unpack(std::span<const std::uint8_t> packed, std::vector<ProfileEvent>& events) const;
  void repack(Record& record, std::span<const ProfileEvent> events) const;

  int n_dimensions_;
  int types_;
  int tag_dimension_;
  NameSets tags_;
  Interner users_, query_, path_;
  std::array<Interner, kMaxDimensions> dimensions_;
  std::vector<Record> records_;
};

}  // namespace recocore
