// The counters of one entity: a map from keys to what is known of them, which forgets the key seen least recently when
// memory is short. Most keys have few events, and keep these; the others keep windows.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/big_array.hpp"
#include "ops/velocity/bytes.hpp"
#include "ops/velocity/plan.hpp"
#include "ops/velocity/recent.hpp"
#include "ops/velocity/record_pool.hpp"
#include "ops/velocity/window.hpp"
#include "recocore/velocity.hpp"

namespace recocore::velocity {

class Table {
 public:
  /// The counters of `table` in checked parameters, with its share of the memory.
  Table(const VelocityParams& params, int table, const HashKey& key);

  /// Events whose memory is asked for before the first of them is taken in.
  static constexpr std::int64_t kAhead = 16;

  // The chunk-th kAhead events, step by step, each a chunk behind the one before it, so that memory comes while other
  // events are taken in: their keys, where these are kept, what is kept there.
  static constexpr std::int64_t kSteps = 3;
  void read_keys(const VelocityEvents& events, std::int64_t chunk);
  void look_up(std::int64_t chunk) noexcept;
  void prefetch(std::int64_t chunk) const noexcept;
  /// Takes the events in. `amounts` are those of their numbers, `[events, number_columns]`.
  void take_in(const VelocityEvents& events, std::int64_t chunk, MatrixView<const Amount> amounts,
               MatrixView<double> features);

  [[nodiscard]] std::int64_t keys() const noexcept { return static_cast<std::int64_t>(keys_); }
  [[nodiscard]] std::int64_t evicted() const noexcept { return evicted_; }
  [[nodiscard]] std::int64_t bytes() const noexcept { return bytes_; }

  void write(ByteWriter& out) const;
  /// `forms`: whether the bytes say in which form a key is kept; before they did, all had windows.
  void read(ByteReader& in, bool forms);

 private:
  struct Windows {
    std::vector<Window> windows;
    std::vector<Seen> seen;
  };
  struct alignas(64) Entry {  // one line of the cache
    std::uint64_t key = 0;
    std::int64_t clock = 0;
    std::unique_ptr<Windows> windows;  // none: `recent` has the events
    Recent recent;
  };
  struct Next {  // events of a chunk
    std::size_t size = 0;
    std::array<std::uint64_t, kAhead> keys{};
    std::array<std::uint32_t, kAhead> slots{};
  };
  struct Links {
    std::uint32_t older = 0;
    std::uint32_t newer = 0;
  };
  /// Of the index. It holds half of a key, which says where it belongs, so that the index can grow without the keys.
  struct Place {
    std::uint32_t mark;
    std::uint32_t slot;  // kNone: free
  };

  [[nodiscard]] std::uint64_t key_of(std::span<const std::uint64_t> ids) const noexcept;
  void take_in(std::uint64_t key, std::uint32_t slot, const Taken& event);
  void take_in_recent(Entry& entry, const Taken& event);
  void take_in_windows(Entry& entry, const Taken& event);
  void go_over_to_windows(Entry& entry);
  void expire(Windows& windows, std::int64_t clock) const;
  [[nodiscard]] static bool is_empty(const Windows& windows) noexcept;
  void add(Windows& windows, std::int64_t clock, const std::uint64_t* record) const;
  void read_windows(const Windows& windows, const Taken& event) const;
  void read_windows(ByteReader& in, Entry& entry) const;
  void read_recent(ByteReader& in, Entry& entry);

  [[nodiscard]] std::uint32_t find(std::uint64_t key) const noexcept;
  /// The first slot whose key has the same half: almost always what find() says, without a look at the keys.
  [[nodiscard]] std::uint32_t guess(std::uint64_t key) const noexcept;
  std::uint32_t add_key(std::uint64_t key);
  [[nodiscard]] std::int64_t bytes_of(const Entry& entry) const noexcept;
  void forget(std::uint32_t slot);
  void make_index(std::size_t places);
  void put(Place place) noexcept;
  void unlink(std::uint32_t slot) noexcept;
  void link_as_newest(std::uint32_t slot) noexcept;

  Plan plan_;
  RecordPool pool_;
  std::vector<int> id_columns_;
  HashKey hash_key_;
  bool including_;
  std::size_t max_distinct_;
  std::int64_t share_;
  std::vector<std::uint64_t> record_;   // of the event that is taken in
  std::vector<std::uint64_t> scratch_;  // of a key whose events are read in the order of time

  std::array<Next, kSteps + 1> next_;

  BigArray<Place> index_;  // a power of two, at most half full
  std::size_t mask_ = 0;
  Slots<Entry> entries_;
  std::vector<Links> links_;  // by slot, in the order in which keys were seen
  std::vector<std::uint32_t> free_;
  std::uint32_t oldest_;
  std::uint32_t newest_;
  std::size_t keys_ = 0;
  std::int64_t evicted_ = 0;
  std::int64_t bytes_per_key_ = 0;
  std::int64_t bytes_ = 0;
};

}  // namespace recocore::velocity
