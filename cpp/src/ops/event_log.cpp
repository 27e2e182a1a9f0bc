#include "recocore/event_log.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace recocore {
namespace {

// Of a row: kind (1), slot (4), time (8), subject (16), event (16), length of what follows (4).
constexpr std::size_t kTime = 5, kEvent = 29, kLength = 45, kHead = 49, kIdBytes = 16;
constexpr char kEventKind = 1;

template <typename Number>
Number number_at(std::string_view bytes, std::size_t at) {
  static_assert(std::endian::native == std::endian::little);
  Number number = 0;
  std::memcpy(&number, bytes.data() + at, sizeof number);
  return number;
}

}  // namespace

bool holds_event_id(const EventIdFile& file, std::uint64_t high, std::uint64_t low) noexcept {
  const std::size_t size = file.high.size();
  if (size == 0) return false;
  const double guess = static_cast<double>(high) * 0x1p-64 * static_cast<double>(size);
  std::size_t first = std::min(static_cast<std::size_t>(guess), size - 1);
  std::size_t last = first;
  // The guess is off by half of sqrt(n) in the mean: 250 of 250,000.
  std::size_t step = 32;
  while (first > 0 && file.high[first] >= high) {
    first = first > step ? first - step : 0;
    step *= 2;
  }
  step = 32;
  while (last < size && file.high[last] < high) {
    last = std::min(last + step, size);
    step *= 2;
  }
  const auto begin = file.high.begin();
  auto at = static_cast<std::size_t>(
      std::lower_bound(begin + static_cast<std::ptrdiff_t>(first), begin + static_cast<std::ptrdiff_t>(last), high) -
      begin);
  for (; at < size && file.high[at] == high; ++at)
    if (file.low[at] == low) return true;
  return false;
}

// 16 bits an id, four ids a word.
EventIdFilter::EventIdFilter(std::size_t ids) : words_(std::clamp(ids / 4, std::size_t{1}, std::size_t{UINT32_MAX})) {}

void EventIdFilter::add(const EventIdFile& file) noexcept {
  for (std::size_t i = 0; i < file.high.size(); ++i) words_[place_of(file.high[i])] |= bits_of(file.low[i]);
}

std::optional<FrameHeads> frame_heads(std::string_view rows, std::size_t count) {
  constexpr std::array<char, kIdBytes> kNoId{};
  FrameHeads heads;
  heads.ids.reserve(std::min(count, rows.size() / kHead) * kIdBytes);
  for (; count != 0; --count) {
    if (rows.size() < kHead) return std::nullopt;
    const std::size_t length = number_at<std::uint32_t>(rows, kLength);
    if (rows.size() - kHead < length) return std::nullopt;
    if (rows[0] == kEventKind) {
      const auto time = number_at<std::int64_t>(rows, kTime);
      heads.oldest = heads.events == 0 ? time : std::min(heads.oldest, time);
      heads.newest = std::max(heads.newest, time);
      ++heads.events;
      const std::string_view id = rows.substr(kEvent, kIdBytes);
      if (id != std::string_view(kNoId.data(), kNoId.size())) heads.ids += id;
    }
    rows.remove_prefix(kHead + length);
  }
  if (!rows.empty()) return std::nullopt;
  return heads;
}

}  // namespace recocore
