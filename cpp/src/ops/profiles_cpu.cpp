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

namespace recocore::cpu {
namespace {

// Users of a task: enough to make handing out tasks free, few enough to share them evenly.
constexpr std::int64_t kUsersAtATime = 512;
// Events laid out by user at a time, some 400 MB.
constexpr std::int64_t kEventsAtATime = std::int64_t{1} << 22;

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

/// What most events say, laid out by user: one cache line an event.
struct alignas(64) LaidOut {
  std::int64_t time;
  std::uint64_t item;
  std::uint64_t session;
  std::int64_t money;
  std::int64_t price;
  std::int32_t path;
  std::array<std::int32_t, kMaxDimensions> dimensions;
  std::uint8_t type;
  bool coupon;
};
static_assert(sizeof(LaidOut) == 64);

/// What few events say, laid out where the batch has a column of it.
struct LaidOutRest {
  std::int64_t known;
  std::uint64_t id;
  std::uint64_t order;
  std::int32_t dwell;
  std::int32_t quantity;
  std::int32_t query;
  bool has_quantity;
};

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
    events_.resize(begins_.back() - begins_.front());
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
    scratch.resize(static_cast<std::size_t>(begins_[at + 1] - begins_[at]));
    for (std::size_t i = 0; i < scratch.size(); ++i) put_together(begin + static_cast<std::int64_t>(i), scratch[i]);
    return canonical.apply(scratch, plan_.as_of);
  }

 private:
  void scatter(std::int64_t begin, std::int64_t end) {
    const std::int64_t first = first_ + begin;
    const auto range = static_cast<std::uint64_t>(end - begin);
    for (std::size_t row = 0; row < batch_.users.size(); ++row) {
      if (row % 65536 == 0) checkpoint();
      if (row + kAhead < batch_.users.size()) {
        const std::int64_t ahead = batch_.users[row + kAhead] - first;
        if (static_cast<std::uint64_t>(ahead) < range)
          __builtin_prefetch(events_.data() + next_[static_cast<std::size_t>(ahead + begin)], 1);
      }
      const auto from_first = static_cast<std::uint64_t>(batch_.users[row] - first);
      if (from_first >= range) continue;
      const std::int64_t place = next_[static_cast<std::size_t>(from_first) + static_cast<std::size_t>(begin)]++;
      lay_out(event_of(batch_, row), place);
    }
  }

  void lay_out(const ProfileEvent& event, std::int64_t place) {
    events_[place] = {event.time, event.item,       event.session, event.money, event.price,
                      event.path, event.dimensions, event.type,    event.coupon};
    if (has_rest_)
      rest_[place] = {event.known, event.id, event.order, event.dwell, event.quantity, event.query, event.has_quantity};
  }

  void put_together(std::int64_t place, ProfileEvent& event) const {
    const LaidOut& from = events_[place];
    event = {};
    event.time = event.known = from.time;
    event.item = from.item;
    event.session = from.session;
    event.money = from.money;
    event.price = from.price;
    event.path = from.path;
    event.dimensions = from.dimensions;
    event.type = from.type;
    event.coupon = from.coupon;
    if (!has_rest_) return;
    const LaidOutRest& rest = rest_[place];
    event.known = rest.known;
    event.id = rest.id;
    event.order = rest.order;
    event.dwell = rest.dwell;
    event.quantity = rest.quantity;
    event.query = rest.query;
    event.has_quantity = rest.has_quantity;
  }

  // Rows between asking for a place and writing there.
  static constexpr std::size_t kAhead = 12;

  const ProfileBatch& batch_;
  const ProfilePlan& plan_;
  bool has_rest_;
  std::int64_t first_ = 0;
  std::span<const std::int64_t> begins_;
  std::vector<std::int64_t> next_;  // where each user's next event goes
  BigArray<LaidOut> events_;
  BigArray<LaidOutRest> rest_;
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
  for (std::int64_t user = 0; user < users; ++user) {
    const auto begun = begins[static_cast<std::size_t>(cuts.back())];
    if (begins[static_cast<std::size_t>(user) + 1] - begun > kEventsAtATime && user > cuts.back()) cuts.push_back(user);
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
  const auto get = [row](const auto& column, auto absent) { return column.empty() ? absent : column[row]; };
  ProfileEvent event;
  event.time = batch.times[row];
  const std::int64_t known = get(batch.known, kNone);
  event.known = known == kNone ? event.time : known;
  event.id = get(batch.ids, std::uint64_t{0});
  event.item = get(batch.items, std::uint64_t{0});
  event.session = get(batch.sessions, std::uint64_t{0});
  event.order = get(batch.orders, std::uint64_t{0});
  event.money = get(batch.money, kNone);
  event.price = get(batch.prices, kNone);
  const std::int64_t dwell = get(batch.dwell, kNone);
  event.dwell = dwell == kNone ? -1 : static_cast<std::int32_t>(dwell);
  const std::int64_t quantity = get(batch.quantities, kNone);
  event.has_quantity = quantity != kNone;
  event.quantity = quantity == kNone ? 0 : static_cast<std::int32_t>(quantity);
  event.query = get(batch.queries, -1);
  event.path = get(batch.paths, -1);
  for (std::size_t d = 0; d < kMaxDimensions; ++d) event.dimensions[d] = get(batch.dimensions[d], -1);
  event.type = batch.types[row];
  event.coupon = get(batch.coupons, -1) >= 0;
  return event;
}

ProfileColumns profile_batch_cpu(const ProfileBatch& batch, const ProfilePlan& plan,
                                 const ProfileVocabularies& vocabularies, std::span<const std::int32_t> user_zones,
                                 PriceOffers& offers, bool fit_offers, const Execution& execution) {
  Computation computation(plan, vocabularies, user_zones, batch.n_users);
  const auto begins = begins_of(batch);
  const auto cuts = chunks_of(begins);
  const auto chunks = cuts.size() - 1;
  MemoryBudget("profiles")
      .take(std::min<std::int64_t>(std::ssize(batch.users), kEventsAtATime), sizeof(LaidOut) + sizeof(LaidOutRest),
            "profile fewer events at once");
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
