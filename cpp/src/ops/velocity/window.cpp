#include "ops/velocity/window.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

namespace recocore::velocity {
namespace {

constexpr double kMillion = 1e6;
constexpr double kMost = 1e12;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Room grows by doubling, so on average half of it is in use.
template <typename T>
std::size_t bytes_of(const Few<T>& values) noexcept {
  return values.empty() ? 0 : 2 * values.size() * sizeof(T) + kAllocation;
}

}  // namespace

std::int64_t floor_to(std::int64_t time, std::int64_t tile) noexcept {
  const std::int64_t rest = time % tile;
  return time - (rest < 0 ? rest + tile : rest);
}

Amount amount_of(double number) noexcept {
  if (!(std::abs(number) <= kMost)) return {};
  return {static_cast<Sum>(std::llround(number * kMillion)), number, true};
}

void Bucket::merge(const Bucket& other) noexcept {
  if (other.valued > 0) {
    min = valued > 0 ? std::min(min, other.min) : other.min;
    max = valued > 0 ? std::max(max, other.max) : other.max;
  }
  count += other.count;
  valued += other.valued;
  sum += other.sum;
}

std::int64_t Window::start_of(const WindowShape& shape, std::int64_t time) const noexcept {
  return tiled_ ? floor_to(time, shape.tile) : time;
}

bool Window::gone(const WindowShape& shape, std::int64_t clock, std::int64_t start) const noexcept {
  return start + (tiled_ ? shape.tile - 1 : 0) <= clock - shape.length;
}

void Window::expire(const WindowShape& shape, std::int64_t clock) {
  const Bucket* first = buckets_.begin();
  for (; first != buckets_.end() && gone(shape, clock, first->time); ++first) {
    count_ -= first->count;
    valued_ -= first->valued;
    sum_ -= first->sum;
  }
  if (first != buckets_.begin()) buckets_.erase(buckets_.begin(), first);
}

void Window::add(const WindowShape& shape, std::int64_t clock, std::int64_t time, const Amount& amount) {
  if (buckets_.empty()) tiled_ = !shape.exact;
  const Bucket event{start_of(shape, time), 1, amount.present ? 1U : 0U, amount.millionths, amount.number,
                     amount.number};
  if (gone(shape, clock, event.time)) return;
  Bucket* at = buckets_.end();
  const Bucket* const first = buckets_.begin();
  while (at != first && std::prev(at)->time > event.time) --at;
  if (at != first && std::prev(at)->time == event.time)
    std::prev(at)->merge(event);
  else
    buckets_.insert(at, event);
  count_ += event.count;
  valued_ += event.valued;
  sum_ += event.sum;
  if (!tiled_ && buckets_.size() > shape.exact_events) go_over_to_tiles(shape);
}

void Window::go_over_to_tiles(const WindowShape& shape) {
  tiled_ = true;
  Few<Bucket> tiles;
  for (Bucket bucket : buckets_) {
    bucket.time = start_of(shape, bucket.time);
    if (!tiles.empty() && std::prev(tiles.end())->time == bucket.time)
      std::prev(tiles.end())->merge(bucket);
    else
      tiles.push_back(bucket);
  }
  buckets_ = std::move(tiles);
}

double Window::min() const noexcept {
  double least = kNaN;
  for (const Bucket& bucket : buckets_)
    if (bucket.valued > 0 && !(least <= bucket.min)) least = bucket.min;
  return least;
}

double Window::max() const noexcept {
  double most = kNaN;
  for (const Bucket& bucket : buckets_)
    if (bucket.valued > 0 && !(most >= bucket.max)) most = bucket.max;
  return most;
}

std::size_t Window::bytes() const noexcept {
  return bytes_of(buckets_);
}

void Window::write(ByteWriter& out) const {
  out.put(static_cast<std::uint8_t>(tiled_));
  out.put(static_cast<std::uint64_t>(buckets_.size()));
  for (const Bucket& bucket : buckets_) {
    out.put(bucket.time);
    out.put(bucket.count);
    out.put(bucket.valued);
    out.put(bucket.sum);
    out.put(bucket.min);
    out.put(bucket.max);
  }
}

void Window::read(ByteReader& in, const WindowShape& shape) {
  const auto tiled = in.get<std::uint8_t>();
  const std::size_t number = in.count(sizeof(Bucket));
  ByteReader::check(tiled == 1 || (tiled == 0 && (shape.exact || number == 0)), "a window is of no known form");
  tiled_ = tiled == 1;
  buckets_.reserve(number);
  for (std::size_t i = 0; i < number; ++i) {
    Bucket bucket;
    bucket.time = in.get<std::int64_t>();
    bucket.count = in.get<std::uint32_t>();
    bucket.valued = in.get<std::uint32_t>();
    bucket.sum = in.get<Sum>();
    bucket.min = in.get<double>();
    bucket.max = in.get<double>();
    const bool follows = buckets_.empty() || std::prev(buckets_.end())->time < bucket.time;
    ByteReader::check(follows && bucket.count > 0 && bucket.valued <= bucket.count, "a bucket is not in its place");
    buckets_.push_back(bucket);
    count_ += bucket.count;
    valued_ += bucket.valued;
    sum_ += bucket.sum;
  }
}

void Seen::expire(std::int64_t length, std::int64_t clock) {
  if (ids_.empty() || oldest_ > clock - length) return;
  const Id* const last =
      std::remove_if(ids_.begin(), ids_.end(), [&](const Id& id) { return id.last <= clock - length; });
  ids_.erase(last, ids_.end());
  oldest_ = std::numeric_limits<std::int64_t>::max();
  for (const Id& id : ids_) oldest_ = std::min(oldest_, id.last);
}

void Seen::add(std::int64_t length, std::int64_t clock, std::int64_t time, std::uint64_t id, std::size_t most) {
  if (id == 0 || time <= clock - length) return;
  for (Id& known : ids_)
    if (known.id == id) {
      known.last = std::max(known.last, time);
      return;
    }
  oldest_ = ids_.empty() ? time : std::min(oldest_, time);
  if (ids_.size() >= most) {
    const Id* const first = std::ranges::min_element(ids_, {}, &Id::last);  // of those seen longest ago
    ids_.erase(first, first + 1);
  }
  ids_.push_back({id, time});
}

std::size_t Seen::bytes() const noexcept {
  return bytes_of(ids_);
}

void Seen::write(ByteWriter& out) const {
  out.put(static_cast<std::uint64_t>(ids_.size()));
  for (const Id& id : ids_) {
    out.put(id.id);
    out.put(id.last);
  }
}

void Seen::read(ByteReader& in, std::size_t most) {
  const std::size_t number = in.count(sizeof(Id));
  ByteReader::check(number <= most, "a key has more ids than it may have");
  ids_.reserve(number);
  for (std::size_t i = 0; i < number; ++i) {
    const auto id = in.get<std::uint64_t>();
    const auto last = in.get<std::int64_t>();
    oldest_ = i == 0 ? last : std::min(oldest_, last);
    ids_.push_back({id, last});
  }
}

}  // namespace recocore::velocity
