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

// Of the events from one on, in the order of time. Many are made room for, and few are used: nothing is set beforehand.
struct Suffix {
  std::uint32_t count;
  std::uint32_t valued;
  Sum sum;
  double min;
  double max;
};
constexpr Suffix kNothing{0, 0, 0, kNaN, kNaN};

using Records = std::array<const std::uint64_t*, Plan::kMost>;
using Suffixes = std::array<Suffix, Plan::kMost + 1>;

// Whether an id comes among later events, too.
bool comes_again(const Family& family, const Records& records, std::size_t at, std::size_t last) noexcept {
  const std::uint64_t id = records[at][family.id];
  for (std::size_t later = at + 1; later < last; ++later)
    if (records[later][family.id] == id && family.counts(records[later])) return true;
  return false;
}

// What is summed up stays in registers: read back at once, 16 bytes that were written as two halves cost as much as all
// else.
void sum_up(const Family& family, const Records& records, std::size_t first, std::size_t last,
            Suffixes& sums) noexcept {
  Suffix sum = sums[last] = kNothing;
  for (std::size_t at = last; at-- > first; sums[at] = sum) {
    const std::uint64_t* const record = records[at];
    if (!family.counts(record)) continue;
    if (family.id != 0) {
      sum.count += record[family.id] == 0 || comes_again(family, records, at, last) ? 0 : 1;
      continue;
    }
    ++sum.count;
    if (family.number == 0) continue;
    const auto number = std::bit_cast<double>(record[family.number]);
    if (std::isnan(number)) continue;
    ++sum.valued;
    sum.sum += static_cast<std::int64_t>(record[family.number + 1]);
    if (family.extremes) {
      if (!(sum.min < number)) sum.min = number;
      if (!(sum.max > number)) sum.max = number;
    }
  }
}

double feature_of(VelocityStatistic statistic, const Suffix& sums) noexcept {
  switch (statistic) {
    case VelocityStatistic::count:
    case VelocityStatistic::distinct: return sums.count;
    case VelocityStatistic::sum: return sum_of(sums.sum);
    case VelocityStatistic::mean: return mean_of(sums.sum, sums.valued);
    case VelocityStatistic::min: return sums.min;
    case VelocityStatistic::max: return sums.max;
    case VelocityStatistic::ratio: break;  // needs the event's own number
  }
  return kNaN;
}

}  // namespace

std::uint64_t* Recent::add(const Plan& plan, RecordPool& pool, std::int64_t clock, std::int64_t time) {
  if (size_ == room_) {
    const std::size_t room = room_ == 0 ? RecordPool::kLeast : 2 * std::size_t{room_};
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

void Recent::read(const Plan& plan, std::int64_t clock, std::span<const Amount> amounts,
                  std::span<double> features) const {
  Records records;
  for (std::size_t at = 0; at < size_; ++at) records[at] = record(plan, at);
  if (!in_order_)
    std::stable_sort(records.begin(), records.begin() + size_, [](auto a, auto b) { return time_of(a) < time_of(b); });
  const std::int64_t oldest = size_ > 0 ? time_of(records[0]) : 0;
  // Where each group's events begin; a group's place in its own array is at most 64, see Plan::most.
  std::array<std::uint8_t, 64> begins;
  std::array<std::uint8_t, 64> earliest;
  std::fill_n(earliest.begin(), plan.families.size(), static_cast<std::uint8_t>(size_));
  for (std::size_t g = 0; g < plan.groups.size(); ++g) {
    const Group& group = plan.groups[g];
    std::size_t at = 0;
    if (size_ > 0 && oldest <= clock - group.length) {  // else the window holds all, whatever its tiles are
      const std::int64_t bound = group.bound(clock);
      while (at < size_ && time_of(records[at]) < bound) ++at;
    }
    begins[g] = static_cast<std::uint8_t>(at);
    earliest[group.family] = std::min(earliest[group.family], begins[g]);
  }
  Suffixes sums;
  auto reading = plan.readings.begin();
  for (std::size_t f = 0; f < plan.families.size(); ++f) {
    const Family& family = plan.families[f];
    const bool counts_all = family.types.empty() && family.number == 0 && family.id == 0;
    if (!counts_all) sum_up(family, records, earliest[f], size_, sums);
    for (; reading != plan.readings.end() && plan.groups[reading->group].family == f; ++reading) {
      const std::size_t begin = begins[reading->group];
      double& feature = features[reading->feature];
      if (counts_all)
        feature = static_cast<double>(size_ - begin);
      else if (reading->statistic == VelocityStatistic::ratio)
        feature = ratio_of(amounts[static_cast<std::size_t>(plan.groups[reading->group].column)],
                           mean_of(sums[begin].sum, sums[begin].valued));
      else
        feature = feature_of(reading->statistic, sums[begin]);
    }
  }
}

void Recent::prefetch(const Plan& plan) const noexcept {
  prefetch_all(records_, size_ * plan.words);
}

std::size_t Recent::bytes(const Plan& plan) const noexcept {
  if (size_ == 0) return 0;
  return std::max(RecordPool::kLeast, std::bit_ceil(std::size_t{size_})) * plan.words * sizeof(std::uint64_t);
}

}  // namespace recocore::velocity
