#include "ops/velocity/recent.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

namespace recocore::velocity {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::int64_t time_of(const std::uint64_t* record) noexcept {
  return static_cast<std::int64_t>(*record);
}

// A key's events in the order of time.
struct Ordered {
  const std::uint64_t* masks;
  const std::uint64_t* records;
  std::size_t size;
};

// How many of the first events, in the order of time, are before a time. Without a branch on times, which nobody
// foresees.
std::size_t before_time(const std::uint64_t* records, std::size_t words, std::size_t number,
                        std::int64_t time) noexcept {
  std::size_t known = 0;
  while (number > 1) {
    const std::size_t half = number / 2;
    known += time_of(records + (known + half - 1) * words) < time ? half : 0;
    number -= half;
  }
  return known + (number > 0 && time_of(records + known * words) < time ? 1 : 0);
}

// By span, the first event in it; the rest of them are, too.
using Firsts = std::array<std::size_t, Plan::kMostGroups>;

void find_firsts(const Plan& plan, const Ordered& events, std::int64_t clock, Firsts& firsts) noexcept {
  const std::int64_t oldest = time_of(events.records);
  std::size_t at = events.size;
  std::int64_t before = std::numeric_limits<std::int64_t>::max();
  for (std::size_t s = 0; s < plan.spans.size(); ++s) {
    const Span& span = plan.spans[s];
    if (oldest > clock - span.length) {  // whatever its tiles are
      at = 0;
    } else {
      const std::int64_t bound = span.bound(clock);
      if (bound > before) at = events.size;  // of two spans of about one length, the longer one's tiles may begin later
      before = bound;
      at = before_time(events.records, plan.words, at, bound);
    }
    firsts[s] = at;
  }
}

// Of the events from one on.
struct Suffix {
  std::uint32_t count = 0;
  std::uint32_t valued = 0;
  Sum sum = 0;
  double min = kNaN;
  double max = kNaN;
};

using Values = std::array<double, 7>;  // by statistic

double& value(Values& values, VelocityStatistic statistic) noexcept {
  return values[static_cast<std::size_t>(statistic)];
}

void write_values(const Plan& plan, const Part& part, Values& values, double* features) noexcept {
  for (std::size_t r = part.first; r < part.last; ++r) {
    const Reading& reading = plan.readings[r];
    features[reading.feature] = value(values, reading.statistic);
  }
}

void read_counts(const Plan& plan, const Family& family, const Ordered& events, const Firsts& firsts,
                 double* features) noexcept {
  Values values{};
  for (const Part& part : family.parts) {
    const std::size_t first = firsts[part.span];
    const auto count = family.mask == Family::kAll
                           ? static_cast<double>(events.size - first)
                           : static_cast<double>(std::popcount(events.masks[family.mask] >> first));
    value(values, VelocityStatistic::count) = count;
    value(values, VelocityStatistic::distinct) = count;
    write_values(plan, part, values, features);
  }
}

template <bool kExtremes>
void read_numbers(const Plan& plan, const Family& family, const Ordered& events, const Firsts& firsts,
                  const Taken& event) noexcept {
  const std::uint64_t counted = family.mask == Family::kAll ? ~std::uint64_t{0} : events.masks[family.mask];
  Suffix sums;
  std::size_t at = events.size;
  const std::uint64_t* record = events.records + at * plan.words;
  for (const Part& part : family.parts) {
    const std::size_t first = firsts[part.span];
    if (first > at) {
      sums = Suffix();
      at = events.size;
      record = events.records + at * plan.words;
    }
    while (at > first) {
      --at;
      record -= plan.words;
      if ((counted >> at & 1U) == 0) continue;
      ++sums.count;
      const auto number = std::bit_cast<double>(record[family.number]);
      if (std::isnan(number)) continue;
      ++sums.valued;
      sums.sum += static_cast<std::int64_t>(record[family.number + 1]);
      if constexpr (kExtremes) {
        sums.min = sums.min < number ? sums.min : number;
        sums.max = sums.max > number ? sums.max : number;
      }
    }
    Values values;  // NOLINT(cppcoreguidelines-pro-type-member-init): what a part reads is written
    value(values, VelocityStatistic::count) = sums.count;
    value(values, VelocityStatistic::min) = sums.min;
    value(values, VelocityStatistic::max) = sums.max;
    if (part.sums) {
      const double sum = sum_of(sums.sum);
      const double mean = mean_of(sum, sums.valued);
      value(values, VelocityStatistic::sum) = sum;
      value(values, VelocityStatistic::mean) = mean;
      value(values, VelocityStatistic::ratio) = ratio_of(event.amounts[family.column], mean);
    }
    write_values(plan, part, values, event.features);
  }
}

}  // namespace

void Recent::grow(const Plan& plan, RecordPool& pool) {
  const std::size_t room = room_ == 0 ? Plan::kLeast : 2 * std::size_t{room_};
  std::uint64_t* const fresh = pool.take(room);
  if (room_ > 0) {
    std::copy_n(block_, plan.masks + size_ * plan.words, fresh);
    pool.give_back(block_, room_);
  }
  block_ = fresh;
  room_ = static_cast<std::uint16_t>(room);
}

void Recent::drop_before(const Plan& plan, std::int64_t time) noexcept {
  std::uint64_t* const records = block_ + plan.masks;
  std::size_t kept = 0;
  for (std::size_t at = 0; at < size_; ++at)
    if (time_of(record(plan, at)) >= time) std::copy_n(record(plan, at), plan.words, records + kept++ * plan.words);
  size_ = static_cast<std::uint16_t>(kept);
  std::fill_n(block_, plan.masks, 0);
  for (std::size_t at = 0; at < kept; ++at) plan.mark(block_, records, at);
}

void Recent::read(const Plan& plan, std::int64_t clock, const Taken& event, std::vector<std::uint64_t>& scratch) const {
  if (size_ == 0) {
    for (const Reading& reading : plan.readings) event.features[reading.feature] = reading.of_nothing;
    return;
  }
  Ordered events{block_, block_ + plan.masks, size_};
  if (!in_order_) {
    std::array<const std::uint64_t*, Plan::kMost> sorted;
    for (std::size_t at = 0; at < size_; ++at) sorted[at] = record(plan, at);
    std::stable_sort(sorted.begin(), sorted.begin() + size_, [](auto a, auto b) { return time_of(a) < time_of(b); });
    scratch.assign(plan.masks + size_ * plan.words, 0);
    std::uint64_t* const records = scratch.data() + plan.masks;
    for (std::size_t at = 0; at < size_; ++at) {
      std::copy_n(sorted[at], plan.words, records + at * plan.words);
      plan.mark(scratch.data(), records, at);
    }
    events = {scratch.data(), records, size_};
  }
  Firsts firsts;  // NOLINT(cppcoreguidelines-pro-type-member-init): those of the plan's spans are written
  find_firsts(plan, events, clock, firsts);
  for (const Family& family : plan.families) {
    switch (family.kind) {
      case Family::Kind::numbers: read_numbers<false>(plan, family, events, firsts, event); break;
      case Family::Kind::extremes: read_numbers<true>(plan, family, events, firsts, event); break;
      case Family::Kind::events:
      case Family::Kind::ids: read_counts(plan, family, events, firsts, event.features); break;
    }
  }
}

}  // namespace recocore::velocity
