#include "recocore/profile_log.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "ops/profiles/canonical.hpp"
#include "ops/profiles/checks.hpp"
#include "ops/profiles/packing.hpp"
#include "ops/profiles_cpu.hpp"
#include "recocore/error.hpp"

namespace recocore {
namespace {

// Fewer events than that are not looked through for repeats: a profile drops them anyway.
constexpr std::uint32_t kFewEvents = 32;

std::int32_t translated(std::int32_t code, const Vocabulary& names, Interner& into) {
  return code < 0 ? -1 : into.intern(names.name(code));
}

std::int32_t translated(std::int32_t code, std::span<const std::int32_t> codes) {
  return code < 0 ? -1 : codes[static_cast<std::size_t>(code)];
}

std::vector<std::int32_t> interned(const Vocabulary& names, Interner& into) {
  std::vector<std::int32_t> codes;
  codes.reserve(static_cast<std::size_t>(names.size()));
  for (std::int32_t code = 0; code < names.size(); ++code) codes.push_back(into.intern(names.name(code)));
  return codes;
}

}  // namespace

/// The events of some users of a log, as the computation asks for them.
class ProfileLog::Users final : public cpu::UserEvents {
 public:
  Users(const ProfileLog& log, std::span<const std::int32_t> users, bool all, std::int64_t as_of)
      : log_(log), users_(users), all_(all), as_of_(as_of) {}

  std::span<const ProfileEvent> of(std::int64_t user, cpu::Canonical& canonical,
                                   std::vector<ProfileEvent>& scratch) override {
    const std::int64_t code = all_ ? user : users_[static_cast<std::size_t>(user)];
    log_.read(static_cast<std::int32_t>(code), scratch);
    return canonical.apply(scratch, as_of_);
  }

 private:
  const ProfileLog& log_;
  std::span<const std::int32_t> users_;
  bool all_;
  std::int64_t as_of_;
};

ProfileLog::ProfileLog(int dimensions, int types, int tags)
    : n_dimensions_(dimensions), types_(types), tag_dimension_(tags) {
  require(dimensions >= 0 && dimensions <= kMaxDimensions && types >= 0 && types <= 255 && tags < dimensions,
          [] { return std::string("dimensions, types, tags: expected 0 to 4, 0 to 255 and one of the dimensions"); });
}

void ProfileLog::follow_tags() {
  if (tag_dimension_ >= 0) tags_.follow(dimensions_[static_cast<std::size_t>(tag_dimension_)].names());
}

ProfileVocabularies ProfileLog::vocabularies() const {
  ProfileVocabularies all;
  for (std::size_t d = 0; d < kMaxDimensions; ++d) all.dimensions[d] = &dimensions_[d].names();
  all.query = &query_.names();
  all.path = &path_.names();
  all.tags = &tags_;
  return all;
}

void ProfileLog::append(const ProfileBatch& batch, const ProfileVocabularies& vocabularies, const Vocabulary& users) {
  require(batch.n_users == users.size(), [] { return std::string("users: expected a name for each user"); });
  cpu::check_batch(batch, types_, vocabularies);
  const auto user_codes = interned(users, users_);
  const auto queries = interned(*vocabularies.query, query_);
  const auto paths = interned(*vocabularies.path, path_);
  std::array<std::vector<std::int32_t>, kMaxDimensions> dimensions;
  for (std::size_t d = 0; d < kMaxDimensions; ++d)
    dimensions[d] = interned(*vocabularies.dimensions[d], dimensions_[d]);
  follow_tags();
  records_.resize(static_cast<std::size_t>(users_.names().size()));
  for (std::size_t row = 0; row < batch.users.size(); ++row) {
    ProfileEvent event = cpu::event_of(batch, row);
    event.query = translated(event.query, queries);
    event.path = translated(event.path, paths);
    for (std::size_t d = 0; d < kMaxDimensions; ++d)
      event.dimensions[d] = translated(event.dimensions[d], dimensions[d]);
    append(records_[static_cast<std::size_t>(user_codes[static_cast<std::size_t>(batch.users[row])])], event);
  }
}

void ProfileLog::append(const NamedEvent& named) {
  const auto interned = [](const std::optional<std::string_view>& name, Interner& names) {
    return name ? names.intern(*name) : -1;
  };
  const auto user = static_cast<std::size_t>(users_.intern(named.user));
  if (records_.size() <= user) records_.resize(user + 1);
  ProfileEvent event = named.event;
  event.query = interned(named.query, query_);
  event.path = interned(named.path, path_);
  for (std::size_t d = 0; d < kMaxDimensions; ++d) event.dimensions[d] = interned(named.dimensions[d], dimensions_[d]);
  follow_tags();
  append(records_[user], event);
}

void ProfileLog::append(Record& record, const ProfileEvent& event) {
  // Most events take less; growing by a quarter wastes less than doubling.
  constexpr std::size_t kRoom = 64;
  if (record.packed.capacity() - record.packed.size() < kRoom && record.packed.size() >= kRoom)
    record.packed.reserve(record.packed.size() + record.packed.size() / 4 + kRoom);
  cpu::pack(event, record.last, record.packed);
  ++record.events;
  if (record.events < std::max(kFewEvents, 2 * record.clean)) return;
  std::vector<ProfileEvent> events;
  unpack(record.packed, events);
  cpu::Canonical canonical(vocabularies(), n_dimensions_);
  repack(record, canonical.apply(events, std::numeric_limits<std::int64_t>::max()));
}

void ProfileLog::unpack(std::span<const std::uint8_t> packed, std::vector<ProfileEvent>& events) const {
  events.clear();
  for (cpu::Unpacker unpacker(packed); !unpacker.done();) unpacker.next(events.emplace_back());
}

void ProfileLog::repack(Record& record, std::span<const ProfileEvent> events) const {
  Record clean;
  for (const ProfileEvent& event : events) cpu::pack(event, clean.last, clean.packed);
  clean.packed.shrink_to_fit();
  clean.events = clean.clean = static_cast<std::uint32_t>(events.size());
  record = std::move(clean);
}

void ProfileLog::merge(const ProfileLog& other) {
  require(&other != this && other.n_dimensions_ == n_dimensions_ && other.types_ == types_ &&
              other.tag_dimension_ == tag_dimension_,
          [] { return std::string("other: expected another log of the same dimensions and types"); });
  std::vector<ProfileEvent> events;
  for (std::size_t user = 0; user < other.records_.size(); ++user) {
    other.unpack(other.records_[user].packed, events);
    if (events.empty()) continue;
    const auto code =
        static_cast<std::size_t>(users_.intern(other.users_.names().name(static_cast<std::int32_t>(user))));
    if (records_.size() <= code) records_.resize(code + 1);
    for (ProfileEvent& event : events) {
      event.query = translated(event.query, other.query_.names(), query_);
      event.path = translated(event.path, other.path_.names(), path_);
      for (std::size_t d = 0; d < kMaxDimensions; ++d)
        event.dimensions[d] = translated(event.dimensions[d], other.dimensions_[d].names(), dimensions_[d]);
      append(records_[code], event);
    }
  }
  follow_tags();
}

bool ProfileLog::forget(std::string_view user) {
  const std::int32_t code = users_.find(user);
  if (code < 0 || records_[static_cast<std::size_t>(code)].events == 0) return false;
  records_[static_cast<std::size_t>(code)] = {};
  return true;
}

std::int64_t ProfileLog::drop_before(std::int64_t time) {
  std::int64_t dropped = 0;
  std::vector<ProfileEvent> events;
  for (Record& record : records_) {
    unpack(record.packed, events);
    const auto gone = std::erase_if(events, [time](const ProfileEvent& event) { return event.time < time; });
    if (gone == 0) continue;
    dropped += static_cast<std::int64_t>(gone);
    repack(record, events);
  }
  return dropped;
}

ProfileColumns ProfileLog::profiles(const ProfilePlan& plan, std::span<const std::int32_t> users, bool all,
                                    std::span<const std::int32_t> user_zones, PriceOffers& offers, bool fit_offers,
                                    const Execution& execution) const {
  const std::int64_t count = all ? std::ssize(records_) : std::ssize(users);
  cpu::check_plan(plan, user_zones, count);
  cpu::check_offers(offers);
  check(plan);
  Users events(*this, users, all, plan.as_of);
  return cpu::profile_users_cpu(events, count, plan, vocabularies(), user_zones, offers, fit_offers, execution);
}

void ProfileLog::check(const ProfilePlan& plan) const {
  require(plan.dimensions == n_dimensions_ && plan.types() == types_ && plan.tags == tag_dimension_,
          [] { return std::string("plan: expected the dimensions and types of this log"); });
}

void ProfileLog::read(std::int32_t user, std::vector<ProfileEvent>& events) const {
  require(user >= 0 && user < std::ssize(records_), [&] { return "users: unknown code " + std::to_string(user); });
  unpack(records_[static_cast<std::size_t>(user)].packed, events);
}

std::int64_t ProfileLog::events() const noexcept {
  std::int64_t all = 0;
  for (const Record& record : records_) all += record.events;
  return all;
}

std::int64_t ProfileLog::bytes() const noexcept {
  std::int64_t all = users_.bytes() + query_.bytes() + path_.bytes() + tags_.bytes();
  for (const Interner& names : dimensions_) all += names.bytes();
  for (const Record& record : records_) all += static_cast<std::int64_t>(sizeof(Record) + record.packed.capacity());
  return all;
}

std::span<const std::uint8_t> ProfileLog::packed(std::int32_t user) const {
  return records_[static_cast<std::size_t>(user)].packed;
}

void ProfileLog::restore(const ProfileVocabularies& vocabularies, const Vocabulary& users,
                         std::span<const std::int64_t> packed_begins, std::span<const std::uint8_t> packed) {
  const auto corrupt = [](bool fits, const char* expected) {
    if (!fits) throw Error(ErrorCode::corrupt, std::string("packed events: expected ") + expected);
  };
  corrupt(records_.empty(), "an empty log to restore into");
  corrupt(std::ssize(packed_begins) == users.size() + 1 && packed_begins.front() == 0 &&
              packed_begins.back() == std::ssize(packed) && std::is_sorted(packed_begins.begin(), packed_begins.end()),
          "a place for each user");
  interned(users, users_);
  interned(*vocabularies.query, query_);
  interned(*vocabularies.path, path_);
  for (std::size_t d = 0; d < kMaxDimensions; ++d) interned(*vocabularies.dimensions[d], dimensions_[d]);
  follow_tags();
  corrupt(users_.names().size() == users.size(), "each user once");
  std::vector<Record> records(static_cast<std::size_t>(users.size()));
  std::vector<ProfileEvent> events;
  for (std::size_t user = 0; user < records.size(); ++user) {
    const auto begin = static_cast<std::size_t>(packed_begins[user]);
    unpack(packed.subspan(begin, static_cast<std::size_t>(packed_begins[user + 1]) - begin), events);
    for (const ProfileEvent& event : events) {
      bool fits = event.type <= types_ && std::abs(event.time) <= cpu::kLatest && event.query < query_.names().size() &&
                  event.path < path_.names().size();
      for (std::size_t d = 0; d < kMaxDimensions; ++d)
        fits = fits && event.dimensions[d] >= -1 && event.dimensions[d] < dimensions_[d].names().size();
      corrupt(fits && event.query >= -1 && event.path >= -1, "codes of its vocabularies");
    }
    repack(records[user], events);
  }
  records_ = std::move(records);
}

}  // namespace recocore
