#include "recocore/kept_profiles.hpp"

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <utility>

#include "ops/profiles/canonical.hpp"
#include "ops/profiles/checks.hpp"
#include "ops/profiles/offers.hpp"
#include "ops/profiles/user_pass.hpp"
#include "ops/profiles_cpu.hpp"
#include "recocore/error.hpp"
#include "recocore/kept_events.hpp"
#include "recocore/name_sets.hpp"

namespace recocore {
namespace {

std::int32_t code_of(const KeptEvent& event, KeptName name) {
  switch (name) {
    case KeptName::type: return event.type;
    case KeptName::category: return event.category;
    case KeptName::brand: return event.brand;
    case KeptName::channel: return event.channel;
    case KeptName::query: return event.query;
    case KeptName::tags: break;
  }
  return -1;
}

/// A number that is there, or `absent`; refused where an event of a profile could not have it.
std::int32_t whole(std::int64_t number, std::int64_t least, std::int32_t absent, const char* name) {
  if (number == kNone) return absent;
  require(number >= least && number <= INT32_MAX, [&] {
    return std::string(name) + ": expected numbers from " + std::to_string(least) + " to " + std::to_string(INT32_MAX) +
           ", got " + std::to_string(number);
  });
  return static_cast<std::int32_t>(number);
}

std::string capitals(std::string_view text) {
  std::string made(text);
  std::ranges::transform(made, made.begin(),
                         [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - ('a' - 'A')) : c; });
  return made;
}

/// Search terms of one person by the places of their names.
struct Terms {
  std::vector<std::int32_t> codes;  // -1 where there is none
  std::vector<std::string> names;
};

Terms terms_of(const KeptEvents& kept, const std::function<std::string(std::string_view)>& spell) {
  Terms terms;
  for (const KeptEvent& event : kept.events()) {
    if (event.query < 0) continue;
    const auto place = static_cast<std::size_t>(event.query);
    if (terms.codes.empty()) terms.codes.assign(kept.names().size(), -2);
    if (terms.codes[place] != -2) continue;
    std::string name = spell(kept.names()[place]);
    const auto found = std::ranges::find(terms.names, name);
    terms.codes[place] = name.empty() ? -1 : static_cast<std::int32_t>(found - terms.names.begin());
    if (!name.empty() && found == terms.names.end()) terms.names.push_back(std::move(name));
  }
  return terms;
}

}  // namespace

struct KeptProfileReader::Impl {
  Impl(KeptReading reading_, const ProfilePlan& plan_, PriceOffers offers_, const SendRule& rule_)
      : reading(std::move(reading_)),
        plan(plan_),
        offers(std::move(offers_)),
        rule(rule_),
        places(offers),
        vocabularies(named()),
        canonical(vocabularies, plan.dimensions),
        pass(plan, vocabularies, places) {
    for (const std::string& name : reading.types) types.emplace(name, static_cast<std::uint8_t>(types.size()));
    for (const std::string& name : reading.offered) offered.emplace(name, static_cast<std::int32_t>(offered.size()));
  }

  [[nodiscard]] ProfileVocabularies named() const {
    ProfileVocabularies all;
    all.dimensions.fill(&none);
    for (std::size_t d = 0; d < reading.dimensions.size(); ++d)
      all.dimensions[d] = reading.dimensions[d] == KeptName::tags ? &set_names : &names;
    all.query = &term_names;
    all.path = &names;
    all.tags = &tags;
    return all;
  }

  /// Makes the names of one person those of all codes.
  void name(KeptEvents events_, Terms terms_) {
    kept = std::move(events_);
    terms = std::move(terms_);
    names = set_names = term_names = {};
    tags = {};
    sets.clear();
    std::vector<std::int32_t> categories;
    for (const std::string& name : kept.names()) {
      names.add(name);
      if (offered.empty()) continue;
      const auto found = offered.find(name);
      categories.push_back(found == offered.end() ? -1 : found->second);
    }
    places.translate(std::move(categories));
    for (const std::string& name : terms.names) term_names.add(name);
  }

  /// The place of the currency's name; -1 where there is none.
  [[nodiscard]] std::int32_t currency() const {
    const auto all = kept.names();
    if (!reading.currency.empty()) {
      const auto found = std::ranges::find(all, reading.currency);
      return found == all.end() ? -1 : static_cast<std::int32_t>(found - all.begin());
    }
    const auto events = kept.events();
    const auto newest = std::find_if(events.rbegin(), events.rend(), [](const KeptEvent& event) {
      return event.currency >= 0 && !(std::isnan(event.value) && std::isnan(event.price));
    });
    return newest == events.rend() ? -1 : newest->currency;
  }

  [[nodiscard]] int digits_of(std::string_view currency) const {
    if (reading.digits >= 0) return reading.digits;
    const auto found = reading.other_digits.find(capitals(currency));
    return found == reading.other_digits.end() ? reading.usual_digits : found->second;
  }

  std::int32_t tag_set(const KeptEvent& event) {
    std::vector<std::string_view> members;
    members.reserve(event.tags.size());
    for (const std::int32_t tag : event.tags) members.push_back(kept.names()[static_cast<std::size_t>(tag)]);
    auto joined = NameSets::joined(std::move(members));
    if (!joined || joined->empty()) return -1;
    const auto [found, added] = sets.try_emplace(std::move(*joined), set_names.size());
    if (added) set_names.add(found->first);
    return found->second;
  }

  ProfileEvent event_of(const KeptEvent& from, std::int32_t money_of, double factor) {
    ProfileEvent event;
    require(std::abs(from.time) <= cpu::kLatest,
            [&] { return "event_time: expected times around 1970, got " + std::to_string(from.time); });
    event.time = event.known = from.time;
    event.item = from.item;
    event.session = from.session;
    event.order = from.order;
    const bool foreign = from.currency >= 0 && from.currency != money_of;
    const auto units = [&](double value) {
      return foreign || std::isnan(value) ? kNone : minor_unit(value, factor).value_or(kNone);
    };
    event.money = units(from.value);
    event.price = units(from.price);
    event.dwell = whole(from.dwell, 0, -1, "dwell_ms");
    event.has_quantity = from.quantity != kNone;
    event.quantity = whole(from.quantity, INT32_MIN, 0, "quantity");
    event.coupon = from.coupon;
    const auto type = types.find(kept.names()[static_cast<std::size_t>(from.type)]);
    event.type = type == types.end() ? static_cast<std::uint8_t>(types.size()) : type->second;
    event.path = code_of(from, reading.path);
    event.query = from.query < 0 ? -1 : terms.codes[static_cast<std::size_t>(from.query)];
    for (std::size_t d = 0; d < reading.dimensions.size(); ++d)
      event.dimensions[d] =
          reading.dimensions[d] == KeptName::tags ? tag_set(from) : code_of(from, reading.dimensions[d]);
    return event;
  }

  [[nodiscard]] KeptProfile profile(std::int64_t as_of) {
    const std::int32_t money_of = currency();
    KeptProfile made;
    made.left_out = kept.left_out();
    made.currency = !reading.currency.empty() ? reading.currency
                    : money_of < 0            ? std::string()
                                              : kept.names()[static_cast<std::size_t>(money_of)];
    made.digits = digits_of(made.currency);
    double factor = 1.0;
    for (int i = 0; i < made.digits; ++i) factor *= 10.0;
    events.clear();
    for (const KeptEvent& event : kept.events()) events.push_back(event_of(event, money_of, factor));
    tags.follow(set_names);
    plan.as_of = as_of;
    cpu::check_plan(plan, {}, 0);
    const auto buy =
        types.find(std::string_view("buy"));  // the type whose purchases a record keeps when it leaves events out
    const bool bought = buy != types.end() && (plan.roles[buy->second] & kPurchase) != 0;
    const auto earlier = bought ? kept.purchases().moments() : std::vector<std::int64_t>();
    made.row = cpu::read_one(pass, canonical.apply(events, as_of), plan, rule, earlier);
    return made;
  }

  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const noexcept { return hash_name(name); }
  };
  template <typename Value>
  using Map = std::unordered_map<std::string, Value, Hash, std::equal_to<>>;

  KeptReading reading;
  ProfilePlan plan;
  PriceOffers offers;
  SendRule rule;
  Map<std::uint8_t> types;
  Map<std::int32_t> offered, sets;
  KeptEvents kept;
  Terms terms;
  Vocabulary none, names, set_names, term_names;
  NameSets tags;
  cpu::PricePlaces places;
  ProfileVocabularies vocabularies;
  cpu::Canonical canonical;
  cpu::UserPass pass;
  std::vector<ProfileEvent> events;
};

KeptProfileReader::KeptProfileReader(KeptReading reading, const ProfilePlan& plan, PriceOffers offers,
                                     const SendRule& rule) {
  cpu::check_plan(plan, {}, 0);
  cpu::check_offers(offers);
  const auto dimensions = static_cast<std::size_t>(plan.dimensions);
  require(reading.types.size() == static_cast<std::size_t>(plan.types()) && reading.dimensions.size() == dimensions &&
              reading.offered.size() + 1 == offers.begins.size() && reading.digits <= 9,
          [] { return std::string("reading: expected the types, dimensions and offers of the plan"); });
  for (int d = 0; d < plan.dimensions; ++d)
    require((reading.dimensions[static_cast<std::size_t>(d)] == KeptName::tags) == (d == plan.tags),
            [] { return std::string("reading: expected the plan's dimension of tags"); });
  impl_ = std::make_unique<Impl>(std::move(reading), plan, std::move(offers), rule);
}

KeptProfileReader::~KeptProfileReader() = default;

std::optional<KeptProfile> KeptProfileReader::read(std::span<const std::span<const std::uint8_t>> parts,
                                                   std::int64_t as_of) {
  KeptEvents kept;
  for (const auto part : parts) {
    if (parts.size() == 1) {
      kept = KeptEvents::unpack(part);
    } else {
      kept.merge(KeptEvents::unpack(part));
    }
  }
  if (kept.events().empty()) return std::nullopt;
  // Nothing of this reader is touched before: others may call it while a term is spelled.
  Terms terms = terms_of(kept, impl_->reading.term);
  impl_->name(std::move(kept), std::move(terms));
  KeptProfile made = impl_->profile(as_of);
  if (made.row.columns.integers[static_cast<std::size_t>(ProfileInteger::n_events)][0] == 0) return std::nullopt;
  return made;
}

const ProfileVocabularies& KeptProfileReader::vocabularies() const noexcept {
  return impl_->vocabularies;
}

const ProfilePlan& KeptProfileReader::plan() const noexcept {
  return impl_->plan;
}

}  // namespace recocore
