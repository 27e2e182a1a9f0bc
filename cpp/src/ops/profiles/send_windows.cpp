// The best window of the week to send something.
#include <algorithm>
#include <array>
#include <limits>
#include <string>

#include "recocore/error.hpp"
#include "recocore/profiles.hpp"

namespace recocore {
namespace {

constexpr int kHours = 168;
constexpr int kLongest = 24;
constexpr double kQuiet = -std::numeric_limits<double>::infinity();  // with any share added to it
constexpr std::int64_t kUsersAtATime = 2048;

bool quiet(int hour, const SendRule& rule) {
  const int of_day = hour % 24;
  if (rule.quiet_from == rule.quiet_to) return false;
  if (rule.quiet_from < rule.quiet_to) return of_day >= rule.quiet_from && of_day < rule.quiet_to;
  return of_day >= rule.quiet_from || of_day < rule.quiet_to;
}

/// 0 at each hour at which a window may begin, kQuiet at the others.
std::array<double, kHours> allowed_starts(const SendRule& rule) {
  std::array<double, kHours> allowed{};
  for (int start = 0; start < kHours; ++start)
    for (int i = 0; i < rule.window; ++i)
      if (quiet((start + i) % kHours, rule)) allowed[static_cast<std::size_t>(start)] = kQuiet;
  return allowed;
}

/// The largest of a week, eight at a time.
double largest(const std::array<double, kHours>& week) {
  constexpr std::size_t kLanes = 8;
  static_assert(kHours % kLanes == 0);
  std::array<double, kLanes> most;
  most.fill(kQuiet);
  for (std::size_t from = 0; from < kHours; from += kLanes)
    for (std::size_t lane = 0; lane < kLanes; ++lane)
      most[lane] = week[from + lane] > most[lane] ? week[from + lane] : most[lane];
  return *std::ranges::max_element(most);
}

}  // namespace

void send_windows(std::span<const std::int64_t> begins, std::span<const std::int32_t> hours,
                  std::span<const std::int64_t> counts, const SendRule& rule, std::span<std::int64_t> starts,
                  std::span<double> shares, const Execution& execution) {
  const auto users = std::ssize(starts);
  require(std::ssize(begins) == users + 1 && shares.size() == starts.size() && hours.size() == counts.size() &&
              begins.back() == std::ssize(hours),
          [] { return std::string("begins: expected one more than users, the last one the number of hours"); });
  require(rule.prior.size() == kHours && rule.kernel.size() % 2 == 1 && rule.window >= 1 && rule.window <= kLongest,
          [] { return std::string("rule: expected a prior of 168 shares, an odd kernel and 1 to 24 hours"); });
  require(std::all_of(hours.begin(), hours.end(), [](std::int32_t hour) { return hour >= 0 && hour < kHours; }),
          [] { return std::string("hours: expected hours of the week, 0 to 167"); });
  const std::array<double, kHours> allowed = allowed_starts(rule);
  // How far ahead of an hour the kernel's parts lie, around the circle of the week.
  const int reach = static_cast<int>(rule.kernel.size() / 2);
  std::vector<int> ahead;
  for (int j = -reach; j <= reach; ++j) ahead.push_back((j % kHours + kHours) % kHours);
  std::array<double, kHours> prior{};
  for (std::size_t at = 0; at < kHours; ++at) prior[at] = rule.prior_weight * rule.prior[at];
  parallel_for(execution, users, kUsersAtATime, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t user = begin; user < end; ++user) {
      const auto u = static_cast<std::size_t>(user);
      std::array<double, kHours> smooth{};
      double all = 0.0;
      for (auto i = static_cast<std::size_t>(begins[u]); i < static_cast<std::size_t>(begins[u + 1]); ++i) {
        const auto count = static_cast<double>(counts[i]);
        all += count;
        for (std::size_t j = 0; j < ahead.size(); ++j) {
          const int hour = hours[i] + ahead[j];
          smooth[static_cast<std::size_t>(hour < kHours ? hour : hour - kHours)] += rule.kernel[j] * count;
        }
      }
      // The week and the beginning of the next one, so that no window has to be cut.
      std::array<double, kHours + kLongest> week;
      for (std::size_t at = 0; at < kHours; ++at) week[at] = smooth[at] + prior[at];
      std::copy_n(week.begin(), kLongest, week.begin() + kHours);
      std::array<double, kHours> windows = allowed;
      for (std::size_t i = 0; i < static_cast<std::size_t>(rule.window); ++i)
        for (std::size_t start = 0; start < kHours; ++start) windows[start] += week[start + i];
      const double best = largest(windows);
      const double whole = all + rule.prior_weight;
      starts[u] = best == kQuiet ? kNone : std::ranges::find(windows, best) - windows.begin();
      shares[u] = best == kQuiet || whole <= 0.0 ? 0.0 : best / whole;
    }
  });
}

}  // namespace recocore
