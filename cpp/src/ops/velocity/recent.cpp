#include "ops/velocity/recent.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

namespace recocore::velocity {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t kEarliest = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kLatest = std::numeric_limits<std::int64_t>::max();

std::int64_t time_of(const std::uint64_t* record) noexcept {
  return static_cast<std::int64_t>(*record);
}

// Of the events from one on, in the order of time.
struct Suffix {
  std::uint32_t count = 0;
  std::uint32_t valued = 0;
  Sum sum = 0;
  double min = kNaN;
  double max = kNaN;
};

using Records = std::array<const std::uint64_t*, Plan::kMost>;

// Whether an id comes among later events, too.
bool comes_again(const Family& family, const Records& records, std::size_t at, std::size_t last) noexcept {
  const std::uint64_t id = records[at][family.id];
  for (std::size_t later = at + 1; later < last; ++later)
    if (records[later][family.id] == id && family.counts(records[later])) return true;
  return false;
}

// Takes in the events before `at` as far back as a time, and says where that is.
template <Family::Kind kKind>
std::size_t extend_by(const Family& family, const Records& records, std::int64_t bound, std::size_t at,
                      std::size_t last, Suffix& sums) noexcept {
  for (; at > 0 && time_of(records[at - 1]) >= bound; --at) {
    const std::uint64_t* const record = records[at - 1];
    if (!family.counts(record)) continue;
    if constexpr (kKind == Family::Kind::ids) {
      sums.count += record[family.id] == 0 || comes_again(family, records, at - 1, last) ? 0 : 1;
      continue;
    }
    ++sums.count;
    if constexpr (kKind == Family::Kind::events) continue;
    const auto number = std::bit_cast<double>(record[family.number]);
    if (std::isnan(number)) continue;
    ++sums.valued;
    sums.sum += static_cast<std::int64_t>(record[family.number + 1]);
    if constexpr (kKind == Family::Kind::extremes) {
      if (!(sums.min < number)) sums.min = number;
      if (!(sums.max > number)) sums.max = number;
    }
  }
  return at;
}

std::size_t extend(const Family& family, const Records& records, std::int64_t bound, std::size_t at, std::size_t last,
                   Suffix& sums) noexcept {
  switch (family.kind) {
    case Family::Kind::events: return extend_by<Family::Kind::events>(family, records, bound, at, last, sums);
    case Family::Kind::numbers: return extend_by<Family::Kind::numbers>(family, records, bound, at, last, sums);
    case Family::Kind::extremes: return extend_by<Family::Kind::extremes>(family, records, bound, at, last, sums);
    case Family::Kind::ids: break;
  }
  return extend_by<Family::Kind::ids>(family, records, bound, at, last, sums);
}

double feature_of(VelocityStatistic statistic, const Suffix& sums, const Amount* own) noexcept {
  switch (statistic) {
    case VelocityStatistic::count:
    case VelocityStatistic::distinct: return sums.count;
    case VelocityStatistic::sum: return sum_of(sums.sum);
    case VelocityStatistic::mean: return mean_of(sums.sum, sums.valued);
    case VelocityStatistic::min: return sums.min;
    case VelocityStatistic::max: return sums.max;
    case VelocityStatistic::ratio: return ratio_of(*own, mean_of(sums.sum, sums.valued));
  }
  return kNaN;
}

}  // namespace

std::uint64_t* Recent::add(const Plan& plan, RecordPool& pool, std::int64_t clock, std::int64_t time) {
  if (size_ == room_) {
    const std::size_t room = room_ == 0 ? Plan::kLeast : 2 * std::size_t{room_};
    std::uint64_t* const fresh = pool.take(room);
    if (room_ > 0) {
      std::copy_n(records_, size_ * plan.words, fresh);
      pool.give_back(records_, room_);
    }
    records_ = fresh;
    room_ = static_cast<std::uint16_t>(room);
  }
  if (size_ == 0) {
    start_ = clock;
    newest_ = time;
    in_order_ = true;
  }
  in_order_ = in_order_ && time >= newest_;
  newest_ = std::max(newest_, time);
  return records_ + size_++ * plan.words;
}

void Recent::drop_before(const Plan& plan, std::int64_t time) noexcept {
  std::size_t kept = 0;
  for (std::size_t at = 0; at < size_; ++at)
    if (time_of(record(plan, at)) >= time) std::copy_n(record(plan, at), plan.words, records_ + kept++ * plan.words);
  size_ = static_cast<std::uint16_t>(kept);
}

void Recent::read(const Plan& plan, std::int64_t clock, const Taken& event) const {
  if (size_ == 0) {
    for (const Reading& reading : plan.readings) event.features[reading.feature] = reading.of_nothing;
    return;
  }
  Records records;
  for (std::size_t at = 0; at < size_; ++at) records[at] = record(plan, at);
  if (!in_order_)
    std::stable_sort(records.begin(), records.begin() + size_, [](auto a, auto b) { return time_of(a) < time_of(b); });
  const std::int64_t oldest = time_of(records[0]);
  for (const Family& family : plan.families) {
    Suffix sums;
    std::size_t at = size_;
    std::int64_t before = kLatest;
    for (const Part& part : family.parts) {
      const Group& group = plan.groups[part.group];
      // A window that reaches beyond the oldest holds all, whatever its tiles are.
      const std::int64_t bound = oldest > clock - group.length ? kEarliest : group.bound(clock);
      if (bound > before) {  // of two windows of about one length, the longer one's tiles may begin later
        sums = Suffix();
        at = size_;
      }
      before = bound;
      at = extend(family, records, bound, at, size_, sums);
      for (std::size_t r = part.first; r < part.last; ++r) {
        const Reading& reading = plan.readings[r];
        event.features[reading.feature] =
            feature_of(reading.statistic, sums, event.amounts + std::max(group.column, 0));
      }
    }
  }
}

void Recent::prefetch(const Plan& plan) const noexcept {
  prefetch_all(records_, size_ * plan.words);
}

std::size_t Recent::bytes(const Plan& plan) const noexcept {
  return plan.bytes[size_];
}

}  // namespace recocore::velocity
