// Packed bits, shifts and masks of small non-negative numbers: their operands are signed throughout.
// NOLINTBEGIN(bugprone-signed-bitwise)

#include "ops/profiles_cpu.hpp"

#include <algorithm>
#include <array>

#include "base/big_array.hpp"
#include "base/per_worker.hpp"
#include "base/stage.hpp"
#include "ops/profiles/offers.hpp"
#include "ops/profiles/user_pass.hpp"
#include "recocore/memory.hpp"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace recocore::cpu {
namespace {

// Users of a task: enough to make handing out tasks free, few enough to share them evenly.
constexpr std::int64_t kUsersAtATime = 512;
/// Events laid out by user at a time: half of them, which takes half the memory, within limits. Fresh pages are dear
/// where a machine has given them back (2 million events 170 ms at a time by half, 300 to 400 all at once), but each
/// time all rows are looked at (10 million 860 ms in 5 parts, 1,050 in 10, 1,150 in 20). The most are 130 MB, and 80
/// more where any event says more than most do.
std::int64_t events_at_a_time(std::int64_t events) {
  constexpr std::int64_t kLeast = std::int64_t{1} << 17;
  constexpr std::int64_t kMost = std::int64_t{1} << 21;
  return std::clamp((events + 1) / 2, kLeast, kMost);
}

struct Scratch {
  Canonical canonical;
  std::vector<ProfileEvent> events;
  OfferSet offers;
};

/// What the work on all users shares, chunk after chunk.
class Computation {
 public:
  Computation(const ProfilePlan& plan, const ProfileVocabularies& vocabularies,
              std::span<const std::int32_t> user_zones, std::int64_t users)
      : plan_(plan), vocabularies_(vocabularies), zones_(user_zones) {
    MemoryBudget("profiles").take(users, static_cast<std::int64_t>(per_user_bytes()), "profile fewer users at once");
    columns_ = columns_for(plan, users);
  }

  /// Adds what users [first, last) were offered.
  void collect(UserEvents& source, std::int64_t first, std::int64_t last, const Execution& execution) {
    PerWorker<Scratch> scratch(execution);
    parallel_for(execution, last - first, kUsersAtATime, [&](std::int64_t begin, std::int64_t end, int worker) {
      Scratch& mine = scratch.get(worker, [&] { return fresh(); });
      for (std::int64_t user = first + begin; user < first + end; ++user) {
        checkpoint();
        for (const ProfileEvent& event : source.of(user, mine.canonical, mine.events)) offer(event, mine.offers);
      }
    });
    scratch.for_each([&](const Scratch& theirs) { offered_.push_back(theirs.offers); });
  }

  [[nodiscard]] PriceOffers collected() const {
    std::vector<const OfferSet*> sets;
    for (const OfferSet& set : offered_) sets.push_back(&set);  // NOLINT(performance-inefficient-vector-operation)
    return sorted_offers(sets, vocabularies_.dimensions[static_cast<std::size_t>(plan_.category)]->size());
  }

  /// Computes the profiles of users [first, last).
  void run(UserEvents& source, std::int64_t first, std::int64_t last, const PricePlaces& places,
           const Execution& execution) {
    const auto base = blocks_.size();
    blocks_.resize(base + static_cast<std::size_t>((last - first + kUsersAtATime - 1) / kUsersAtATime));
    PerWorker<Scratch> scratch(execution);
    PerWorker<UserPass> passes(execution);
    parallel_for(execution, last - first, kUsersAtATime, [&](std::int64_t begin, std::int64_t end, int worker) {
      Scratch& mine = scratch.get(worker, [&] { return fresh(); });
      UserPass& pass = passes.get(worker, [&] { return UserPass(plan_, vocabularies_, places); });
      HourBlock& block = blocks_[base + static_cast<std::size_t>(begin / kUsersAtATime)];
      for (std::int64_t user = first + begin; user < first + end; ++user) {
        checkpoint();
        const std::int32_t zone = zones_.empty() ? 0 : zones_[static_cast<std::size_t>(user)];
        pass.run(source.of(user, mine.canonical, mine.events), zone, user, columns_, block);
      }
    });
  }

  [[nodiscard]] ProfileColumns finish() {
    columns_.hour_begins.reserve(static_cast<std::size_t>(columns_.users) + 1);
    columns_.hour_begins.push_back(0);
    std::size_t hours = 0;
    for (const HourBlock& block : blocks_) hours += block.hours.size();
    columns_.hours.reserve(hours);
    columns_.hour_counts.reserve(hours);
    for (HourBlock& block : blocks_) {
      for (const std::int64_t size : block.sizes) columns_.hour_begins.push_back(columns_.hour_begins.back() + size);
      columns_.hours.insert(columns_.hours.end(), block.hours.begin(), block.hours.end());
      columns_.hour_counts.insert(columns_.hour_counts.end(), block.counts.begin(), block.counts.end());
      block = {};
    }
    return std::move(columns_);
  }

 private:
  [[nodiscard]] Scratch fresh() const { return {Canonical(vocabularies_, plan_.dimensions), {}, {}}; }

  [[nodiscard]] std::size_t per_user_bytes() const {
    const auto lists = static_cast<std::size_t>(plan_.dimensions + 3);  // NOLINT(bugprone-misplaced-widening-cast)
    return 8 * (kProfileIntegers.size() + kProfileReals.size() + plan_.weights.size() + 2 * lists) +
           16 * lists * static_cast<std::size_t>(plan_.top);
  }

  void offer(const ProfileEvent& event, OfferSet& offers) const {
    const std::int32_t category = event.dimensions[static_cast<std::size_t>(plan_.category)];
    if (category < 0 || event.price == kNone || event.time >= plan_.as_of) return;
    if (plan_.window != 0 && event.time < plan_.as_of - plan_.window) return;
    offers.add({event.price, event.item, category});
  }

  const ProfilePlan& plan_;
  const ProfileVocabularies& vocabularies_;
  std::span<const std::int32_t> zones_;
  ProfileColumns columns_;
  std::vector<HourBlock> blocks_;
  std::vector<OfferSet> offered_;
};

template <typename T>
T value_or(std::span<const T> column, std::size_t row, T absent) {
  return column.empty() ? absent : column[row];
}

ProfileEventLine line_of(const ProfileBatch& batch, std::size_t row) {
  return {.time = batch.times[row],
          .item = value_or(batch.items, row, std::uint64_t{0}),
          .session = value_or(batch.sessions, row, std::uint64_t{0}),
          .money = value_or(batch.money, row, kNone),
          .price = value_or(batch.prices, row, kNone),
          .path = value_or(batch.paths, row, -1),
          .dimensions = {value_or(batch.dimensions[0], row, -1), value_or(batch.dimensions[1], row, -1),
                         value_or(batch.dimensions[2], row, -1), value_or(batch.dimensions[3], row, -1)},
          .type = batch.types[row],
          .coupon = value_or(batch.coupons, row, -1) >= 0};
}

ProfileEventRest rest_of(const ProfileBatch& batch, std::size_t row) {
  const std::int64_t known = value_or(batch.known, row, kNone);
  const std::int64_t dwell = value_or(batch.dwell, row, kNone);
  const std::int64_t quantity = value_or(batch.quantities, row, kNone);
  return {.known = known == kNone ? batch.times[row] : known,
          .id = value_or(batch.ids, row, std::uint64_t{0}),
          .order = value_or(batch.orders, row, std::uint64_t{0}),
          .dwell = dwell == kNone ? -1 : static_cast<std::int32_t>(dwell),
          .quantity = quantity == kNone ? 0 : static_cast<std::int32_t>(quantity),
          .query = value_or(batch.queries, row, -1),
          .has_quantity = quantity != kNone};
}

/// Writes a line past the caches: it is read when all others are written, and they need not ask for what stood
/// there. 2 million events of 40,000 users, two threads: 45 ms instead of 68.
void write_past_caches(ProfileEventLine* place, const ProfileEventLine& line) noexcept {
#ifdef __SSE2__
  const auto* from = reinterpret_cast<const __m128i*>(&line);
  auto* to = reinterpret_cast<__m128i*>(place);
  for (int part = 0; part < 4; ++part) _mm_stream_si128(to + part, _mm_load_si128(from + part));
#else
  *place = line;
#endif
}

/// Before another thread may read what was written so.
void end_of_writing_past_caches() noexcept {
#ifdef __SSE2__
  _mm_sfence();
#endif
}

/// The events of users [first, last) laid out by user.
class Chunk final : public UserEvents {
 public:
  Chunk(const ProfileBatch& batch, const ProfilePlan& plan)
      : batch_(batch),
        plan_(plan),
        has_rest_(!batch.known.empty() || !batch.ids.empty() || !batch.orders.empty() || !batch.dwell.empty() ||
                  !batch.quantities.empty() || !batch.queries.empty()) {}

  void fill(std::int64_t first, std::int64_t last, std::span<const std::int64_t> begins, const Execution& execution) {
    first_ = first;
    begins_ = begins.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(last - first + 1));
    next_.resize(static_cast<std::size_t>(last - first));
    for (std::size_t at = 0; at < next_.size(); ++at) next_[at] = begins_[at] - begins_.front();
    lines_.resize(begins_.back() - begins_.front());
    if (has_rest_) rest_.resize(begins_.back() - begins_.front());
    // Each thread reads the users of all rows and lays out those of its own range: nobody shares a place.
    const std::int64_t threads = resolve_threads(execution.num_threads);
    const std::int64_t range = std::max<std::int64_t>(1, (last - first + threads - 1) / threads);
    parallel_for(execution, last - first, range,
                 [&](std::int64_t begin, std::int64_t end, int) { scatter(begin, end); });
  }

  std::span<const ProfileEvent> of(std::int64_t user, Canonical& canonical,
                                   std::vector<ProfileEvent>& scratch) override {
    const auto at = static_cast<std::size_t>(user - first_);
    const std::int64_t begin = begins_[at] - begins_.front();
    const auto events = static_cast<std::size_t>(begins_[at + 1] - begins_[at]);
    // Never shrunk: where the batch has nothing of the rest, what stands there is what an event without it says.
    if (scratch.size() < events) scratch.resize(events);
    for (std::size_t i = 0; i < events; ++i) {
      ProfileEvent& event = scratch[i];
      static_cast<ProfileEventLine&>(event) = lines_[begin + static_cast<std::int64_t>(i)];
      if (has_rest_) {
        static_cast<ProfileEventRest&>(event) = rest_[begin + static_cast<std::int64_t>(i)];
      } else {
        event.known = event.time;
      }
    }
    return canonical.apply(std::span(scratch).first(events), plan_.as_of);
  }

 private:
  void scatter(std::int64_t begin, std::int64_t end) {
    const std::int64_t first = first_ + begin;
    const auto range = static_cast<std::uint64_t>(end - begin);
    const std::span<const std::int32_t> users = batch_.users;
    std::array<std::uint32_t, kRowsAtATime> ours;  // of some rows, those of the range: no branch tells them apart
    for (std::size_t from = 0; from < users.size(); from += kRowsAtATime) {
      checkpoint();
      const auto rows = static_cast<std::uint32_t>(std::min(kRowsAtATime, users.size() - from));
      std::size_t count = 0;
      for (std::uint32_t row = 0; row < rows; ++row) {
        ours[count] = row;
        count += static_cast<std::uint64_t>(users[from + row] - first) < range ? 1 : 0;
      }
      for (std::size_t i = 0; i < count; ++i) put(from + ours[i]);
    }
    end_of_writing_past_caches();
  }

  void put(std::size_t row) {
    const std::int64_t place = next_[static_cast<std::size_t>(batch_.users[row] - first_)]++;
    alignas(64) const ProfileEventLine line = line_of(batch_, row);
    write_past_caches(lines_.data() + place, line);
    if (has_rest_) rest_[place] = rest_of(batch_, row);
  }

  static constexpr std::size_t kRowsAtATime = 4096;

  const ProfileBatch& batch_;
  const ProfilePlan& plan_;
  bool has_rest_;
  std::int64_t first_ = 0;
  std::span<const std::int64_t> begins_;
  std::vector<std::int64_t> next_;  // where each user's next event goes
  BigArray<ProfileEventLine> lines_;
  BigArray<ProfileEventRest> rest_;
};

std::vector<std::int64_t> begins_of(const ProfileBatch& batch) {
  std::vector<std::int64_t> begins(static_cast<std::size_t>(batch.n_users) + 1, 0);
  for (const std::int32_t user : batch.users) ++begins[static_cast<std::size_t>(user) + 1];
  for (std::size_t i = 1; i < begins.size(); ++i) begins[i] += begins[i - 1];
  return begins;
}

/// Where users are cut into chunks: [0, ..., users].
std::vector<std::int64_t> chunks_of(std::span<const std::int64_t> begins) {
  std::vector<std::int64_t> cuts{0};
  const auto users = std::ssize(begins) - 1;
  const std::int64_t most = events_at_a_time(begins.back());
  for (std::int64_t user = 0; user < users; ++user) {
    const auto begun = begins[static_cast<std::size_t>(cuts.back())];
    if (begins[static_cast<std::size_t>(user) + 1] - begun > most && user > cuts.back()) cuts.push_back(user);
  }
  if (users > 0) cuts.push_back(users);
  return cuts;
}

}  // namespace

ProfileColumns columns_for(const ProfilePlan& plan, std::int64_t users) {
  const auto n = static_cast<std::size_t>(users);
  const auto top = static_cast<std::size_t>(plan.top);
  ProfileColumns columns;
  columns.users = users;
  columns.integers.assign(kProfileIntegers.size(), std::vector<std::int64_t>(n));
  columns.reals.assign(kProfileReals.size(), std::vector<double>(n));
  columns.type_counts.assign(plan.weights.size(), std::vector<std::int64_t>(n));
  const int interests = plan.dimensions + (plan.price_bands > 0 ? 1 : 0);
  for (int i = 0; i < interests; ++i)
    columns.interests.push_back({std::vector<std::int32_t>(n * top, -1), std::vector<double>(n * top, 0.0),
                                 std::vector<double>(n), std::vector<double>(n)});
  columns.path_from.assign(n * top, -1);
  columns.path_to.assign(n * top, -1);
  columns.path_counts.assign(n * top, 0);
  columns.term_codes.assign(n * top, -1);
  columns.term_counts.assign(n * top, 0);
  return columns;
}

ProfileEvent event_of(const ProfileBatch& batch, std::size_t row) {
  return {line_of(batch, row), rest_of(batch, row)};
}

ProfileColumns profile_batch_cpu(const ProfileBatch& batch, const ProfilePlan& plan,
                                 const ProfileVocabularies& vocabularies, std::span<const std::int32_t> user_zones,
                                 PriceOffers& offers, bool fit_offers, const Execution& execution) {
  Computation computation(plan, vocabularies, user_zones, batch.n_users);
  const auto begins = begins_of(batch);
  const auto cuts = chunks_of(begins);
  const auto chunks = cuts.size() - 1;
  MemoryBudget("profiles")
      .take(std::min(std::ssize(batch.users), events_at_a_time(std::ssize(batch.users))),
            sizeof(ProfileEventLine) + sizeof(ProfileEventRest), "profile fewer events at once");
  Chunk chunk(batch, plan);
  const auto fit = fit_offers && plan.category >= 0;
  const auto collect = fit && !batch.prices.empty();
  const auto steps = static_cast<double>(collect ? 2 * chunks : chunks);
  double done = 0.0;
  if (collect) {
    for (std::size_t c = 0; c < chunks; ++c, ++done) {
      const Stage stage(execution, done / steps, (done + 1.0) / steps);
      chunk.fill(cuts[c], cuts[c + 1], begins, stage.execution());
      computation.collect(chunk, cuts[c], cuts[c + 1], stage.execution());
    }
  }
  if (fit) offers = computation.collected();
  const PricePlaces places(offers);
  for (std::size_t c = 0; c < chunks; ++c, ++done) {
    const Stage stage(execution, done / steps, (done + 1.0) / steps);
    // A single chunk is still laid out.
    if (!collect || chunks > 1) chunk.fill(cuts[c], cuts[c + 1], begins, stage.execution());
    computation.run(chunk, cuts[c], cuts[c + 1], places, stage.execution());
  }
  return computation.finish();
}

ProfileColumns profile_users_cpu(UserEvents& events, std::int64_t users, const ProfilePlan& plan,
                                 const ProfileVocabularies& vocabularies, std::span<const std::int32_t> user_zones,
                                 PriceOffers& offers, bool fit_offers, const Execution& execution) {
  Computation computation(plan, vocabularies, user_zones, users);
  const auto collect = fit_offers && plan.category >= 0;
  if (collect) {
    const Stage stage(execution, 0.0, 0.5);
    computation.collect(events, 0, users, stage.execution());
    offers = computation.collected();
  }
  const PricePlaces places(offers);
  const Stage stage(execution, collect ? 0.5 : 0.0, 1.0);
  computation.run(events, 0, users, places, stage.execution());
  return computation.finish();
}

}  // namespace recocore::cpu
// NOLINTEND(bugprone-signed-bitwise)
