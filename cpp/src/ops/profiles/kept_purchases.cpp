// Purchases that were left out of a record.
#include <algorithm>
#include <iterator>

#include "ops/profiles/zone_clock.hpp"
#include "recocore/error.hpp"
#include "recocore/kept_events.hpp"

namespace recocore {
namespace {

constexpr std::int64_t kQuarter = cpu::kHour / 4;
constexpr std::int64_t kQuartersOfDay = 96;
// A full record has some sixty moments, and one more comes with an event.
constexpr std::size_t kExpected = 64;

std::int64_t day_of(std::int64_t quarter) {
  return cpu::floor_divide(quarter, kQuartersOfDay);
}

std::size_t bytes_of(std::uint64_t number) {
  std::size_t bytes = 1;
  for (; number >= 128; number /= 128) ++bytes;
  return bytes;
}

void append_number(std::vector<std::uint8_t>& out, std::uint64_t number) {
  for (; number >= 128; number /= 128) out.push_back(static_cast<std::uint8_t>(number % 128 + 128));
  out.push_back(static_cast<std::uint8_t>(number));
}

[[noreturn]] void refuse() {
  throw Error(ErrorCode::corrupt, "kept events: expected purchases that were left out, got other bytes");
}

}  // namespace

void KeptPurchases::add(std::int64_t time) {
  if (time == kNone) return;
  first_ = first_ == kNone ? time : std::min(first_, time);
  const std::int64_t quarter = cpu::floor_divide(time, kQuarter);
  const std::int64_t day = day_of(quarter);
  const auto begin = std::lower_bound(quarters_.begin(), quarters_.end(), day * kQuartersOfDay);
  const auto end = std::lower_bound(begin, quarters_.end(), (day + 1) * kQuartersOfDay);
  const auto there = end - begin;  // of this day: none, one, or the first and the last
  if (there < 2) {
    const auto at = std::lower_bound(begin, end, quarter);
    if (at == end || *at != quarter) quarters_.insert(at, quarter);
  } else {
    *begin = std::min(*begin, quarter);
    *(end - 1) = std::max(*(end - 1), quarter);
  }
}

void KeptPurchases::merge(const KeptPurchases& other) {
  for (const std::int64_t time : other.moments()) add(time);
}

void KeptPurchases::drop_before(std::int64_t time) {
  if (empty() || first_ >= time) return;
  const std::int64_t quarter = cpu::floor_divide(time - 1, kQuarter) + 1;
  quarters_.erase(quarters_.begin(), std::lower_bound(quarters_.begin(), quarters_.end(), quarter));
  first_ = quarters_.empty() ? kNone : quarters_.front() * kQuarter;
}

std::vector<std::int64_t> KeptPurchases::moments() const {
  std::vector<std::int64_t> all;
  if (empty()) return all;
  all.push_back(first_);
  for (const std::int64_t quarter : quarters_)
    if (quarter * kQuarter > first_) all.push_back(quarter * kQuarter);
  return all;
}

std::vector<std::uint8_t> KeptPurchases::pack(std::size_t limit) const {
  // The first moment, how many follow, and these from the newest on: the newest as quarters after the first's, others
  // by their distance to the one after them.
  const std::int64_t begin = cpu::floor_divide(first_, kQuarter);
  std::vector<std::uint8_t> told;
  told.reserve(std::min(limit, 2 * quarters_.size()));
  std::uint64_t count = 0;
  std::int64_t before = begin;
  for (auto quarter = quarters_.rbegin(); quarter != quarters_.rend() && *quarter > begin; ++quarter, ++count) {
    const auto next = static_cast<std::uint64_t>(count == 0 ? *quarter - begin : before - *quarter);
    // Eight bytes of the first and two of the count.
    if (10 + told.size() + bytes_of(next) > limit) break;
    append_number(told, next);
    before = *quarter;
  }
  std::vector<std::uint8_t> out;
  out.reserve(10 + told.size());
  for (unsigned shift = 0; shift < 64; shift += 8)
    out.push_back(static_cast<std::uint8_t>(static_cast<std::uint64_t>(first_) >> shift));
  append_number(out, count);
  out.insert(out.end(), told.begin(), told.end());
  return out;
}

std::size_t KeptPurchases::unpack(std::span<const std::uint8_t> packed) {
  std::size_t at = 0;
  const auto byte = [&] {
    if (at == packed.size()) refuse();
    return packed[at++];
  };
  const auto number = [&] {
    std::uint64_t made = 0;
    for (unsigned shift = 0; shift < 63; shift += 7) {
      const std::uint8_t next = byte();
      made |= static_cast<std::uint64_t>(next % 128) << shift;
      if (next < 128) return made;
    }
    refuse();
  };
  std::uint64_t first = 0;
  for (unsigned shift = 0; shift < 64; shift += 8) first |= static_cast<std::uint64_t>(byte()) << shift;
  first_ = static_cast<std::int64_t>(first);
  const std::int64_t begin = cpu::floor_divide(first_, kQuarter);
  std::int64_t quarter = begin;
  quarters_.clear();
  quarters_.reserve(std::min<std::size_t>(packed.size(), kExpected));
  for (std::uint64_t left = number(), i = 0; i < left; ++i) {
    const auto distance = static_cast<std::int64_t>(number());
    // Nothing that is as long as all of time.
    if (distance < 0 || distance > INT64_MAX / kQuarter / 2) refuse();
    quarter += i == 0 ? distance : -distance;
    if (quarter <= begin) refuse();
    quarters_.push_back(quarter);
  }
  quarters_.push_back(begin);
  std::ranges::reverse(quarters_);
  if (!std::ranges::is_sorted(quarters_)) refuse();
  return at;
}

}  // namespace recocore
