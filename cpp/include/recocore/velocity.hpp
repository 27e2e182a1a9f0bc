#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "recocore/views.hpp"

namespace recocore {

/// What a counter says of the events of its key in its window.
enum class VelocityStatistic {
  count,
  sum,
  mean,
  min,
  max,
  distinct,  ///< different ids of a column
  ratio,     ///< the event's own number over the mean
};

struct VelocityCounter {
  int table = 0;            ///< the entity whose key it counts by
  std::int64_t window = 0;  ///< microseconds
  VelocityStatistic statistic = VelocityStatistic::count;
  int column = 0;                    ///< of ids for distinct, of numbers for the others; count reads none
  std::vector<std::uint64_t> types;  ///< hashed types of the events that it counts; empty: all
};

struct VelocityParams {
  int id_columns = 0;
  int number_columns = 0;
  std::vector<std::vector<int>> tables;  ///< the id columns that make up the key of each entity
  std::vector<VelocityCounter> counters;
  std::int64_t exact_window = 0;  ///< windows up to this keep every event's time, microseconds
  std::int64_t exact_events = 0;  ///< beyond so many different times a key's window goes over to tiles
  std::int64_t tiles = 0;         ///< parts of a window that is kept in tiles
  std::int64_t max_distinct = 0;  ///< ids that a distinct counter remembers; it never says more
  std::int64_t memory_bytes = 0;  ///< all tables together, an equal share each
  bool including = false;         ///< whether an event's features count the event itself
};

/// Events in the order of their log; 0 is a missing id, NaN a missing number.
struct VelocityEvents {
  MatrixView<const std::uint64_t> ids;   ///< `[n, id_columns]`
  std::span<const std::int64_t> times;   ///< `[n]`, microseconds
  MatrixView<const double> numbers;      ///< `[n, number_columns]`
  std::span<const std::uint64_t> types;  ///< `[n]`
};

/// A secret of 128 bits: without it nobody can choose ids that collide.
struct HashKey {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
};

/// SipHash-1-3 of the bytes (Aumasson and Bernstein, 2012), never 0.
[[nodiscard]] std::uint64_t keyed_hash(std::string_view bytes, const HashKey& key) noexcept;

/// Windowed counters by key, updated event by event; event time alone moves its clocks, so the same log gives the same
/// features in whatever batches it comes. Not safe for several threads at once.
///
/// Each key has a clock, the latest time it has seen, which never goes back. An event of time t is in a window w while
/// t > clock - w. A late event enters the windows that still cover its own time, and its features are those at the
/// key's clock. Events of one time count in the order of the log.
///
/// A window in tiles (of length w / tiles, aligned to 0) counts a tile whole while any part of it is in the window: it
/// holds every event of the window, and may hold some that are up to one tile older.
///
/// Sums are of whole millionths: exact, and the same in every order. A number beyond 1e12 either way is missing.
///
/// Memory: when a table's share of memory_bytes is used up, the key that was seen least recently is forgotten. What is
/// counted depends on what is held alone, not on how it came to be, so a restored state forgets the same keys; the
/// allocator may hold up to twice as much.
class Velocity {
 public:
  /// Throws Error{invalid_argument} for parameters out of range.
  Velocity(const VelocityParams& params, const HashKey& key);
  ~Velocity();
  Velocity(Velocity&&) noexcept;
  Velocity& operator=(Velocity&&) noexcept;

  /// Takes the events in, one after the other, and writes the features of each, `[n, counters]`: NaN where the key is
  /// missing, for mean, min, max and ratio also where no number is in the window. Amortised O(counters) an event, and
  /// O(tiles or exact_events) for min and max, O(max_distinct) for distinct.
  ///
  /// Throws Error{invalid_argument} for shapes that do not fit; nothing is taken in then.
  void update(const VelocityEvents& events, MatrixView<double> features);

  [[nodiscard]] std::int64_t keys() const noexcept;     ///< keys held, over all tables
  [[nodiscard]] std::int64_t evicted() const noexcept;  ///< keys forgotten for want of memory
  [[nodiscard]] std::int64_t bytes() const noexcept;    ///< bytes in use, as they are counted against memory_bytes
  [[nodiscard]] std::size_t counters() const noexcept;
  [[nodiscard]] const VelocityParams& params() const noexcept;
  [[nodiscard]] const HashKey& key() const noexcept;

  /// Everything that later features depend on, as bytes of this format's own; restore() continues with the same values.
  [[nodiscard]] std::vector<std::uint8_t> state() const;

  /// Throws Error{corrupt} unless the bytes are a state() of the same parameters.
  void restore(std::span<const std::uint8_t> state);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace recocore
