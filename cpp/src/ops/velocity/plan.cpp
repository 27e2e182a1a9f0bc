#include "ops/velocity/plan.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <tuple>

namespace recocore::velocity {
namespace {

constexpr std::int64_t kEarliest = std::numeric_limits<std::int64_t>::min();

std::size_t place_of(std::vector<int>& columns, int column) {
  const auto found = std::ranges::find(columns, column);
  const auto place = static_cast<std::size_t>(found - columns.begin());
  if (found == columns.end()) columns.push_back(column);
  return place;
}

}  // namespace

std::int64_t Span::tile_bound(std::int64_t clock) const noexcept {
  // A tile that starts at `gone`, or before, is gone; the next one is not.
  if (clock - length >= kEarliest + 2 * tile) return floor_to(clock - length - tile + 1, tile) + tile;
  const Sum gone = static_cast<Sum>(clock) - length - tile + 1;
  const Sum rest = gone % tile;
  return static_cast<std::int64_t>(std::max<Sum>(gone - (rest < 0 ? rest + tile : rest) + tile, kEarliest));
}

Plan::Plan(const VelocityParams& params, int table) {
  // Counts come last: they can read the window of any number.
  for (const bool count_only : {false, true})
    for (std::size_t feature = 0; feature < params.counters.size(); ++feature) {
      const VelocityCounter& counter = params.counters[feature];
      if (counter.table == table && (counter.statistic == VelocityStatistic::count) == count_only)
        readings.push_back({counter.statistic, group_for(params, counter), feature});
    }
  lay_out();
  for (std::size_t events = 1; events <= kMost; ++events)
    bytes[events] = std::max(kLeast, std::bit_ceil(events)) * words * sizeof(std::uint64_t);
  if (groups.size() <= kMostGroups)
    most =
        std::min({kMost, static_cast<std::size_t>(params.exact_events), static_cast<std::size_t>(params.max_distinct)});
}

std::size_t Plan::group_for(const VelocityParams& params, const VelocityCounter& counter) {
  const bool distinct = counter.statistic == VelocityStatistic::distinct;
  const bool any_column = counter.statistic == VelocityStatistic::count;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const Group& group = groups[g];
    if (group.distinct == distinct && group.length == counter.window && group.types == counter.types &&
        (any_column || group.column == counter.column))
      return g;
  }
  Group group;
  group.distinct = distinct;
  group.length = counter.window;
  group.types = counter.types;
  group.column = any_column ? -1 : counter.column;
  group.place = distinct ? seen++ : windows++;
  group.shape = {counter.window, (counter.window + params.tiles - 1) / params.tiles,
                 static_cast<std::size_t>(params.exact_events), counter.window <= params.exact_window};
  groups.push_back(group);
  return groups.size() - 1;
}

void Plan::lay_out() {
  for (const Group& group : groups) {
    typed = typed || !group.types.empty();
    reach = std::max(reach, group.length + (group.distinct || group.shape.exact ? 0 : group.shape.tile - 1));
    if (group.column >= 0) place_of(group.distinct ? ids : numbers, group.column);
  }
  words = 1 + (typed ? 1 : 0) + 2 * numbers.size() + ids.size();
  for (Group& group : groups) {
    // Who counts events alone can do so with the numbers of any.
    const auto alike = std::ranges::find_if(families, [&](const Family& family) {
      return (family.kind == Family::Kind::ids) == group.distinct && family.types == group.types &&
             (group.column < 0 || family.column == group.column);
    });
    group.family = static_cast<std::size_t>(alike - families.begin());
    if (alike != families.end()) continue;
    Family family;
    family.types = group.types;
    family.column = group.column;
    if (group.distinct || !group.types.empty()) family.mask = masks++;
    const std::size_t head = typed ? 2 : 1;
    if (group.distinct) {
      family.kind = Family::Kind::ids;
      family.id = head + 2 * numbers.size() + place_of(ids, group.column);
    } else if (group.column >= 0) {
      family.kind = Family::Kind::numbers;
      family.number = head + 2 * place_of(numbers, group.column);
    }
    families.push_back(family);
  }
  for (Reading& reading : readings) {
    const bool extreme = reading.statistic == VelocityStatistic::min || reading.statistic == VelocityStatistic::max;
    const bool valued =
        extreme || reading.statistic == VelocityStatistic::mean || reading.statistic == VelocityStatistic::ratio;
    if (extreme) families[groups[reading.group].family].kind = Family::Kind::extremes;
    if (valued) reading.of_nothing = std::numeric_limits<double>::quiet_NaN();
  }
  std::ranges::stable_sort(readings, {}, [&](const Reading& reading) {
    const Group& group = groups[reading.group];
    return std::tuple(group.family, group.length, reading.group);
  });
  const auto span_of = [](const Group& group) {
    return Span{group.length, group.distinct || group.shape.exact ? 0 : group.shape.tile};
  };
  for (const Group& group : groups) spans.push_back(span_of(group));
  std::ranges::sort(spans);
  const auto twice = std::ranges::unique(spans);
  spans.erase(twice.begin(), twice.end());
  for (std::size_t r = 0; r < readings.size(); ++r) {
    const Group& group = groups[readings[r].group];
    std::vector<Part>& parts = families[group.family].parts;
    if (parts.empty() || parts.back().group != readings[r].group) {
      const auto span = std::ranges::find(spans, span_of(group));
      parts.push_back({readings[r].group, static_cast<std::size_t>(span - spans.begin()), r, r});
    }
    parts.back().last = r + 1;
    const VelocityStatistic statistic = readings[r].statistic;
    parts.back().sums = parts.back().sums || statistic == VelocityStatistic::sum ||
                        statistic == VelocityStatistic::mean || statistic == VelocityStatistic::ratio;
  }
}

Amount Plan::amount(const Group& group, const std::uint64_t* record) const noexcept {
  if (group.column < 0) return {};
  const std::size_t place = families[group.family].number;
  const auto number = std::bit_cast<double>(record[place]);
  if (std::isnan(number)) return {};
  return {static_cast<std::int64_t>(record[place + 1]), number, true};
}

std::uint64_t Plan::id(const Group& group, const std::uint64_t* record) const noexcept {
  return record[families[group.family].id];
}

bool Plan::is_sound(const std::uint64_t* record) const noexcept {
  for (std::size_t n = 0; n < numbers.size(); ++n) {
    const std::size_t place = (typed ? 2 : 1) + 2 * n;
    const Amount amount = amount_of(std::bit_cast<double>(record[place]));
    if (amount.millionths != static_cast<std::int64_t>(record[place + 1])) return false;
    if (!amount.present && !std::isnan(std::bit_cast<double>(record[place]))) return false;
  }
  return true;
}

}  // namespace recocore::velocity
