// The counters of one entity: a map from keys to windows that forgets the key seen least recently when memory is short.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "ops/velocity/bytes.hpp"
#include "ops/velocity/window.hpp"
#include "recocore/velocity.hpp"

namespace recocore::velocity {

class Table {
 public:
  /// The counters of `table` in checked parameters, with its share of the memory.
  Table(const VelocityParams& params, int table, const HashKey& key);

  /// Events whose memory is asked for before the first of them is taken in.
  static constexpr std::int64_t kAhead = 16;

  // The events [begin, end), at most kAhead, step by step, so that other tables ask for memory meanwhile: their keys,
  // where these are kept, what is kept there.
  void read_keys(const VelocityEvents& events, std::int64_t begin, std::int64_t end);
  void look_up() noexcept;
  void prefetch() const noexcept;
  /// Takes the events in. `amounts` are those of their numbers, `[end - begin, number_columns]`.
  void take_in(const VelocityEvents& events, std::int64_t begin, MatrixView<const Amount> amounts,
               MatrixView<double> features);

  [[nodiscard]] std::int64_t keys() const noexcept { return static_cast<std::int64_t>(keys_); }
  [[nodiscard]] std::int64_t evicted() const noexcept { return evicted_; }
  [[nodiscard]] std::int64_t bytes() const noexcept { return bytes_; }

  void write(ByteWriter& out) const;
  void read(ByteReader& in);

 private:
  // What several counters share: the events of some types in one window, with one column's numbers or ids.
  struct Group {
    bool distinct = false;
    std::int64_t length = 0;
    std::vector<std::uint64_t> types;
    int column = -1;        // -1 as long as nobody but count reads it
    std::size_t place = 0;  // among the windows, or the sets of ids, of an entry
    WindowShape shape;
  };
  struct Reading {
    VelocityStatistic statistic;
    std::size_t group;
    std::size_t feature;
  };
  struct Head {
    std::uint64_t key = 0;
    std::int64_t clock = 0;
    std::uint32_t older = 0;
    std::uint32_t newer = 0;
  };
  struct Chunk {
    std::vector<Head> heads;
    std::vector<Window> windows;
    std::vector<Seen> seen;
  };
  struct Place {
    std::uint64_t key = 0;  // 0: free
    std::uint32_t slot = 0;
  };

  std::size_t group_for(const VelocityParams& params, const VelocityCounter& counter);
  [[nodiscard]] std::uint64_t key_of(std::span<const std::uint64_t> ids) const noexcept;
  void take_in(std::uint64_t key, const VelocityEvents& events, std::int64_t row, std::span<const Amount> amounts,
               std::span<double> features);
  void read_counters(std::uint32_t slot, std::span<const Amount> amounts, std::span<double> features) const;

  [[nodiscard]] std::uint32_t find(std::uint64_t key) const noexcept;
  std::uint32_t add_key(std::uint64_t key);
  [[nodiscard]] std::int64_t bytes_of(std::uint32_t slot) const noexcept;
  void forget(std::uint32_t slot);
  void grow_index();
  void put(std::uint64_t key, std::uint32_t slot) noexcept;
  void unlink(std::uint32_t slot) noexcept;
  void link_as_newest(std::uint32_t slot) noexcept;

  [[nodiscard]] Head& head(std::uint32_t slot) noexcept;
  [[nodiscard]] const Head& head(std::uint32_t slot) const noexcept;
  [[nodiscard]] Window* windows(std::uint32_t slot) noexcept;
  [[nodiscard]] const Window* windows(std::uint32_t slot) const noexcept;
  [[nodiscard]] Seen* seen(std::uint32_t slot) noexcept;
  [[nodiscard]] const Seen* seen(std::uint32_t slot) const noexcept;

  std::vector<int> id_columns_;
  HashKey hash_key_;
  bool including_;
  std::size_t max_distinct_;
  std::int64_t share_;
  std::vector<Group> groups_;
  std::vector<Reading> readings_;
  std::size_t windows_per_key_ = 0;
  std::size_t seen_per_key_ = 0;

  // Of the events that come next.
  std::size_t next_ = 0;
  std::array<std::uint64_t, kAhead> next_keys_{};
  std::array<std::uint32_t, kAhead> next_slots_{};

  std::vector<Place> index_;  // a power of two, at most half full
  std::vector<Chunk> chunks_;
  std::vector<std::uint32_t> free_;
  std::uint32_t used_slots_ = 0;
  std::uint32_t oldest_;
  std::uint32_t newest_;
  std::size_t keys_ = 0;
  std::int64_t evicted_ = 0;
  std::int64_t bytes_per_key_ = 0;
  std::int64_t bytes_ = 0;
};

}  // namespace recocore::velocity
