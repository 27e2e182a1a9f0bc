// Packed bits, shifts and masks of small non-negative numbers: their operands are signed throughout.
// NOLINTBEGIN(bugprone-signed-bitwise)

#include "recocore/velocity.hpp"

#include <algorithm>
#include <string>

#include "ops/velocity/table.hpp"
#include "recocore/error.hpp"

namespace recocore {
namespace {

// Times and windows far inside int64, so that their differences are too: 100,000 years around 1970.
constexpr std::int64_t kFarthest = 3'155'760'000'000'000'000;

// What a state of the second version begins with.
constexpr std::uint64_t kVersion2 = 0x32304C4556434552U;  // "RECVEL02"

void check_range(std::int64_t value, std::int64_t least, std::int64_t most, const std::string& name) {
  require(value >= least && value <= most, [&] {
    return name + ": expected from " + std::to_string(least) + " to " + std::to_string(most) + ", got " +
           std::to_string(value);
  });
}

void check_columns(const std::vector<int>& columns, int number, const std::string& name) {
  for (const int column : columns) check_range(column, 0, number - 1, name);
}

void check(const VelocityParams& params) {
  check_range(params.id_columns, 1, 1024, "id_columns");
  check_range(params.number_columns, 0, 1024, "number_columns");
  check_range(params.exact_window, 0, kFarthest, "exact_window");
  check_range(params.exact_events, 1, 1 << 20, "exact_events");
  check_range(params.tiles, 1, 1 << 16, "tiles");
  check_range(params.max_distinct, 1, 1 << 16, "max_distinct");
  check_range(static_cast<std::int64_t>(params.tables.size()), 1, 1024, "tables");
  const auto tables = static_cast<std::int64_t>(params.tables.size());
  check_range(params.memory_bytes, tables << 20, INT64_MAX, "memory_bytes");  // a table's empty chunks have to fit
  for (const auto& columns : params.tables) {
    check_range(static_cast<std::int64_t>(columns.size()), 1, 4, "the id columns of a table");
    check_columns(columns, params.id_columns, "an id column of a table");
  }
  check_range(static_cast<std::int64_t>(params.counters.size()), 1, 65536, "counters");
  for (const VelocityCounter& counter : params.counters) {
    check_range(counter.table, 0, tables - 1, "the table of a counter");
    check_range(counter.window, 1, kFarthest, "the window of a counter");
    if (counter.statistic == VelocityStatistic::distinct)
      check_columns({counter.column}, params.id_columns, "the column of a distinct counter");
    else if (counter.statistic != VelocityStatistic::count)
      check_columns({counter.column}, params.number_columns, "the column of a counter");
  }
}

}  // namespace

struct Velocity::Impl {
  VelocityParams params;
  HashKey key;
  std::vector<velocity::Table> tables;

  [[nodiscard]] std::vector<velocity::Table> fresh_tables() const {
    std::vector<velocity::Table> made;
    for (std::size_t i = 0; i < params.tables.size(); ++i)
      made.emplace_back(params, static_cast<int>(i), key);  // NOLINT(performance-inefficient-vector-operation)
    return made;
  }
};

Velocity::Velocity(const VelocityParams& params, const HashKey& key) {
  check(params);
  impl_ = std::make_unique<Impl>(Impl{params, key, {}});
  impl_->tables = impl_->fresh_tables();
}

Velocity::~Velocity() = default;
Velocity::Velocity(Velocity&&) noexcept = default;
Velocity& Velocity::operator=(Velocity&&) noexcept = default;

void Velocity::update(const VelocityEvents& events, MatrixView<double> features) {
  const auto rows = static_cast<std::int64_t>(events.times.size());
  const auto check_shape = [&](std::int64_t got_rows, std::int64_t got_cols, std::int64_t cols, const char* name) {
    require(got_rows == rows && got_cols == cols, [&] {
      return std::string(name) + ": expected " + std::to_string(rows) + " x " + std::to_string(cols) + ", got " +
             std::to_string(got_rows) + " x " + std::to_string(got_cols);
    });
  };
  check_shape(events.ids.rows, events.ids.cols, impl_->params.id_columns, "ids");
  check_shape(events.numbers.rows, events.numbers.cols, impl_->params.number_columns, "numbers");
  check_shape(static_cast<std::int64_t>(events.types.size()), 1, 1, "types");
  check_shape(features.rows, features.cols, static_cast<std::int64_t>(counters()), "features");
  for (const std::int64_t time : events.times)
    if (time < -kFarthest || time > kFarthest) check_range(time, -kFarthest, kFarthest, "times");
  using velocity::Table;
  const auto columns = events.numbers.cols;
  std::vector<velocity::Amount> amounts(static_cast<std::size_t>(Table::kAhead * columns));
  const std::int64_t chunks = (rows + Table::kAhead - 1) / Table::kAhead;
  for (std::int64_t chunk = -Table::kSteps; chunk < chunks; ++chunk) {
    const std::int64_t begin = std::max<std::int64_t>(chunk, 0) * Table::kAhead;
    const std::int64_t end = std::min(rows, (chunk + 1) * Table::kAhead);
    const std::int64_t next_end = std::min(rows, end + Table::kAhead);
    for (std::int64_t row = begin; row < end; ++row)
      std::ranges::transform(events.numbers.row(row), amounts.begin() + (row - begin) * columns, velocity::amount_of);
    for (std::int64_t row = std::max<std::int64_t>(end, 0); row < next_end; ++row)
      velocity::prefetch_all(features.row(row).data(), counters());
    for (Table& table : impl_->tables) {
      if (chunk >= 0) table.take_in(events, chunk, {amounts.data(), end - begin, columns}, features);
      if (chunk + 1 >= 0 && chunk + 1 < chunks) table.prefetch(chunk + 1);
      if (chunk + 2 >= 0 && chunk + 2 < chunks) table.look_up(chunk + 2);
      if (chunk + 3 < chunks) table.read_keys(events, chunk + 3);
    }
  }
}

std::int64_t Velocity::keys() const noexcept {
  std::int64_t sum = 0;
  for (const auto& table : impl_->tables) sum += table.keys();
  return sum;
}

std::int64_t Velocity::evicted() const noexcept {
  std::int64_t sum = 0;
  for (const auto& table : impl_->tables) sum += table.evicted();
  return sum;
}

std::int64_t Velocity::bytes() const noexcept {
  std::int64_t sum = 0;
  for (const auto& table : impl_->tables) sum += table.bytes();
  return sum;
}

std::size_t Velocity::counters() const noexcept {
  return impl_->params.counters.size();
}
const VelocityParams& Velocity::params() const noexcept {
  return impl_->params;
}
const HashKey& Velocity::key() const noexcept {
  return impl_->key;
}

std::vector<std::uint8_t> Velocity::state() const {
  velocity::ByteWriter out;
  out.put(kVersion2);
  for (const auto& table : impl_->tables) table.write(out);
  return out.take();
}

void Velocity::restore(std::span<const std::uint8_t> state) {
  auto tables = impl_->fresh_tables();
  velocity::ByteReader in(state);
  // The first version began with how many keys were forgotten, and kept windows for every key.
  const bool forms = velocity::ByteReader(state).get<std::uint64_t>() == kVersion2;
  if (forms) (void)in.get<std::uint64_t>();
  for (auto& table : tables) table.read(in, forms);
  velocity::ByteReader::check(in.left() == 0, "more follows after its end");
  impl_->tables = std::move(tables);
}

}  // namespace recocore
// NOLINTEND(bugprone-signed-bitwise)
