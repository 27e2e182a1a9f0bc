// Profiles of users: one pass over each user's events, the same for a batch and for a stream.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "recocore/thread_pool.hpp"
#include "recocore/valid_bits.hpp"

namespace recocore {

/// Text dimensions with an interest vector each.
inline constexpr int kMaxDimensions = 4;

/// A whole number that is not there.
inline constexpr std::int64_t kNone = std::numeric_limits<std::int64_t>::min();

/// What most events say: a cache line.
struct ProfileEventLine {
  std::int64_t time = 0;  // microseconds since 1970
  std::uint64_t item = 0;
  std::uint64_t session = 0;
  std::int64_t money = kNone;  // minor units
  std::int64_t price = kNone;  // minor units
  std::int32_t path = -1;
  std::array<std::int32_t, kMaxDimensions> dimensions{-1, -1, -1, -1};
  std::uint8_t type = 0;  // of the plan; the number of types for all others
  bool coupon = false;
};
static_assert(sizeof(ProfileEventLine) == 64);

/// What few events say.
struct ProfileEventRest {
  std::int64_t known = 0;  // when the platform learnt of it
  std::uint64_t id = 0;    // a repeat of it is the same event sent again
  std::uint64_t order = 0;
  std::int32_t dwell = -1;    // milliseconds
  std::int32_t quantity = 0;  // has_quantity says whether it is there
  std::int32_t query = -1;
  bool has_quantity = false;
};

/// One event as profiles read it. Names are codes of vocabularies, what is only compared is a hash (0 where absent).
struct ProfileEvent : ProfileEventLine, ProfileEventRest {};

/// Distinct names by code.
///
/// Names are views of memory that somebody else keeps.
class Vocabulary {
 public:
  /// The code of a further name, which must be a new one.
  std::int32_t add(std::string_view name);

  [[nodiscard]] std::int32_t size() const noexcept { return static_cast<std::int32_t>(names_.size()); }
  [[nodiscard]] std::string_view name(std::int32_t code) const { return names_[static_cast<std::size_t>(code)]; }
  /// The hash of the name; 0 for the code -1.
  [[nodiscard]] std::uint64_t hash(std::int32_t code) const {
    return code < 0 ? 0 : hashes_[static_cast<std::size_t>(code)];
  }

 private:
  std::vector<std::string_view> names_;
  std::vector<std::uint64_t> hashes_;
};

class NameSets;

/// The vocabularies of an event's codes, which somebody else keeps; all are set.
struct ProfileVocabularies {
  std::array<const Vocabulary*, kMaxDimensions> dimensions{};
  const Vocabulary* query = nullptr;
  const Vocabulary* path = nullptr;
  const NameSets* tags = nullptr;  // of the plan's dimension of tags; may be absent where it has none
};

/// The hash of a name, never 0; the same in every build, as saved states hold it.
[[nodiscard]] std::uint64_t hash_name(std::string_view name) noexcept;

/// The hash of a number, never 0 but for one number in 2^64.
[[nodiscard]] std::uint64_t hash_number(std::int64_t number) noexcept;

/// A time zone: from starts[i] on, local time is UTC + offsets[i] microseconds. starts[0] is the beginning of time.
struct ProfileZone {
  std::vector<std::int64_t> starts;
  std::vector<std::int64_t> offsets;
};

/// What is offered at which price, by category: items[i] items at prices[i], ascending within
/// begins[c] .. begins[c + 1].
struct PriceOffers {
  std::vector<std::int64_t> begins{0};
  std::vector<std::int64_t> prices;
  std::vector<std::int64_t> items;
};

enum ProfileRole : std::uint8_t { kPurchase = 1, kRefund = 2, kSearch = 4, kPassive = 8 };

/// What to compute; times and spans in microseconds.
struct ProfilePlan {
  std::int64_t as_of = 0;
  std::int64_t window = 0;          // 0 is all
  std::vector<double> weights;      // [types + 1]
  std::vector<std::uint8_t> roles;  // [types + 1], of ProfileRole
  std::vector<double> half_lives;   // one a dimension, then of the price band, then of spend
  int dimensions = 0;
  int category = -1;  // the dimension whose offers place a price; -1 is none
  int tags = -1;      // the dimension whose names are sets of names, each of which counts; -1 is none
  int price_bands = 0;
  int top = 5;
  int at_risk_gaps = 3;
  std::int64_t session_gap = 0;
  std::int64_t active_within = 0;
  std::int64_t dormant_after = 0;
  std::int64_t lost_after = 0;
  std::vector<ProfileZone> zones;

  [[nodiscard]] int types() const noexcept { return static_cast<int>(weights.size()) - 1; }
};

/// The strongest names of each user, [users, top], -1 where there are fewer.
struct ProfileInterests {
  std::vector<std::int32_t> codes;
  std::vector<double> weights;
  std::vector<double> total;      // [users], of all that is above 0
  std::vector<double> truncated;  // [users], the part that is not listed
};

/// The whole numbers of a profile, in the order of ProfileColumns::integers.
enum class ProfileInteger : std::uint8_t {
  n_events,
  n_items,
  active_days,
  first_event,
  last_event,
  n_purchases,
  n_orders,
  n_refunds,
  quantity,
  first_purchase,
  last_purchase,
  spend_gross,
  spend_refunded,
  spend_min,
  spend_max,
  lifecycle,
  n_sessions,
  session_us,
  n_bounces,
  dwell_ms,
  n_dwelt,
  n_transitions,
  n_searches,
  n_discounted,
  discount_saved,
  btyd_days,
  btyd_recency,
  btyd_t,
  btyd_repeat_spend,
};
inline constexpr std::array<const char*, 29> kProfileIntegers{
    "n_events",       "n_items",   "active_days",  "first_event",    "last_event",       "n_purchases",
    "n_orders",       "n_refunds", "quantity",     "first_purchase", "last_purchase",    "spend_gross",
    "spend_refunded", "spend_min", "spend_max",    "lifecycle",      "n_sessions",       "session_us",
    "n_bounces",      "dwell_ms",  "n_dwelt",      "n_transitions",  "n_searches",       "n_discounted",
    "discount_saved", "btyd_days", "btyd_recency", "btyd_t",         "btyd_repeat_spend"};

/// The real numbers of a profile, NaN where there is none.
enum class ProfileReal : std::uint8_t { spend_decayed, price_percentile, gap_median, gap_iqr, gap_q90, regularity };
inline constexpr std::array<const char*, 6> kProfileReals{"spend_decayed", "price_percentile", "gap_median",
                                                          "gap_iqr",       "gap_q90",          "regularity"};

/// Profiles by column; a user without an event that counts has n_events 0.
struct ProfileColumns {
  std::int64_t users = 0;
  std::vector<std::vector<std::int64_t>> integers;     // [kProfileIntegers][users]
  std::vector<std::vector<double>> reals;              // [kProfileReals][users]
  std::vector<std::vector<std::int64_t>> type_counts;  // [types + 1][users]
  std::vector<ProfileInterests> interests;             // the dimensions, then the price band where there are bands
  std::vector<std::int32_t> path_from, path_to;        // [users, top]
  std::vector<std::int64_t> path_counts;
  std::vector<std::int32_t> term_codes;  // [users, top]
  std::vector<std::int64_t> term_counts;
  std::vector<std::int64_t> hour_begins;  // [users + 1], into the two below
  std::vector<std::int32_t> hours;        // 0 is Monday 0:00 local time
  std::vector<std::int64_t> hour_counts;
};

/// A batch by column; an empty span is a column that is absent.
struct ProfileBatch {
  std::span<const std::int32_t> users;  // [events], in [0, n_users)
  std::span<const std::int64_t> times;
  std::span<const std::int64_t> known;  // kNone is the time itself
  std::span<const std::uint8_t> types;
  std::span<const std::uint64_t> ids, items, sessions, orders;
  std::span<const std::int64_t> money, prices;
  std::span<const std::int64_t> dwell, quantities;  // kNone where absent
  std::span<const std::int32_t> queries, paths, coupons;
  std::array<std::span<const std::int32_t>, kMaxDimensions> dimensions;
  std::int64_t n_users = 0;
};

/// Each user's profile. An event counts where time < as_of (and in the window) and known <= as_of; of those with one id
/// only the one that was known first. O(events log(events of a user)); deterministic at every thread count.
///
/// `offers` places prices; where `fit_offers` is set it is filled first with what these events offer: each (category,
/// item, price) once. `user_zones` is [n_users] into the plan's zones, or empty for the first.
///
/// \throws Error{invalid_argument} for columns that do not fit each other, codes outside of their vocabularies, and
/// sums of money beyond 64 bits; Error{out_of_memory}.
[[nodiscard]] ProfileColumns profile_batch(const ProfileBatch& batch, const ProfilePlan& plan,
                                           const ProfileVocabularies& vocabularies,
                                           std::span<const std::int32_t> user_zones, PriceOffers& offers,
                                           bool fit_offers, const Execution& execution);

/// Where to send: the best circular window of the week for each user.
struct SendRule {
  std::vector<double> prior;   // [168], shares of a week
  double prior_weight = 0.0;   // pseudo-events
  std::vector<double> kernel;  // odd length, sums to 1
  int window = 3;              // hours
  int quiet_from = 0;          // local hours of the day [from, to) in which nothing is sent
  int quiet_to = 0;
};

/// starts[u]: the first hour of the window with the largest smoothed share, kNone where quiet hours leave none; equal
/// shares: the first. shares[u]: its share.
void send_windows(std::span<const std::int64_t> begins, std::span<const std::int32_t> hours,
                  std::span<const std::int64_t> counts, const SendRule& rule, std::span<std::int64_t> starts,
                  std::span<double> shares, const Execution& execution);

/// One amount as whole minor units, of which `factor` are one; nothing where minor_units() would throw.
[[nodiscard]] std::optional<std::int64_t> minor_unit(double value, double factor) noexcept;

/// Money as whole minor units: out[i] = values[i] * 10^digits, kNone where there is no value.
///
/// \throws Error{invalid_argument} for NaN, infinity, what is no whole number of minor units (to a millionth of one, or
/// the rounding of a float64) and more than 2^43 of them; `argument` names the column.
void minor_units(std::span<const double> values, const ValidBits& valid, int digits, std::string_view argument,
                 std::span<std::int64_t> out);

}  // namespace recocore
