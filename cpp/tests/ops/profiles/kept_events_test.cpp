#include "recocore/kept_events.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>

#include "recocore/error.hpp"

namespace {

using recocore::KeptEvent;
using recocore::KeptEvents;

constexpr std::size_t kRoom = 1'000'000;

/// Events as they may come: some at one moment, with and without everything.
std::vector<KeptEvent> made(KeptEvents& kept, int count, std::uint32_t seed) {
  std::mt19937 random(seed);
  const auto below = [&random](std::uint32_t end) { return random() % end; };
  std::vector<KeptEvent> events;
  for (int i = 0; i < count; ++i) {
    KeptEvent event;
    event.time = 1'700'000'000'000'000 + below(50) * 1'000'000 + (below(2) != 0 ? below(5) : below(4) * 1'000);
    event.type = kept.intern("type" + std::to_string(below(3)));
    if (below(2) != 0) event.category = kept.intern("category" + std::to_string(below(9)));
    if (below(3) == 0) event.brand = kept.intern("brand" + std::to_string(below(9)));
    if (below(3) == 0) event.channel = kept.intern("web");
    if (below(5) == 0) event.query = kept.intern("red mug " + std::to_string(below(20)));
    if (below(2) != 0) event.item = below(30) + 1;
    if (below(2) != 0) event.session = below(5) + 1;
    if (below(3) == 0) event.order = below(5) + 1;
    if (below(3) == 0) {
      event.value = (below(2) != 0 ? -1.0 : 1.0) * below(100'000) / 100.0;
      event.currency = kept.intern("EUR");
    }
    if (below(4) == 0) event.price = below(7) == 0 ? 1.0 / 3.0 : below(9'999) * 1.0;
    if (below(4) == 0) event.quantity = static_cast<std::int64_t>(below(9)) - 4;
    if (below(4) == 0) event.dwell = below(100'000);
    event.coupon = below(6) == 0;
    for (std::uint32_t tag = 0; tag < below(4); ++tag) event.tags.push_back(kept.intern("tag" + std::to_string(tag)));
    events.push_back(event);
  }
  return events;
}

/// An event in words, whatever places its names have.
std::string spelled(const KeptEvents& kept, const KeptEvent& event) {
  const auto name = [&kept](std::int32_t code) {
    return code < 0 ? std::string("-") : kept.names()[static_cast<std::size_t>(code)];
  };
  std::string text = std::to_string(event.time);
  for (const std::int32_t code : {event.type, event.category, event.brand, event.channel, event.query, event.currency})
    text += " " + name(code);
  for (const std::uint64_t hash : {event.item, event.session, event.order}) text += " " + std::to_string(hash);
  for (const double money : {event.value, event.price})
    text += " " + (std::isnan(money) ? std::string("-") : std::to_string(money));
  for (const std::int32_t tag : event.tags) text += " #" + name(tag);
  return text + " " + std::to_string(event.quantity) + " " + std::to_string(event.dwell) + (event.coupon ? " c" : "");
}

std::vector<std::string> spelled(const KeptEvents& kept) {
  std::vector<std::string> all;
  for (const KeptEvent& event : kept.events()) all.push_back(spelled(kept, event));
  return all;
}

TEST_CASE("what is packed is read back, by time and then in the order of arrival") {
  KeptEvents kept;
  std::vector<KeptEvent> events = made(kept, 300, 1);
  kept.add(events);
  std::stable_sort(events.begin(), events.end(), [](const auto& a, const auto& b) { return a.time < b.time; });
  std::vector<std::string> expected;
  for (const KeptEvent& event : events) expected.push_back(spelled(kept, event));
  const KeptEvents again = KeptEvents::unpack(kept.pack(kRoom, 0));
  CHECK(spelled(again) == expected);
  CHECK(again.left_out() == recocore::kNone);
  CHECK(KeptEvents::unpack({}).events().empty());
}

TEST_CASE("money is kept to the bit") {
  for (const double value : {0.0, -0.0, 7.5, 0.1, 1.0 / 3.0, -19.99, 1e300, 5e-324, 123'456'789.12, 1e15, -1.0}) {
    KeptEvents kept;
    KeptEvent event;
    event.type = kept.intern("buy");
    event.value = value;
    kept.add(std::span(&event, 1));
    const KeptEvents again = KeptEvents::unpack(kept.pack(kRoom, 0));
    CHECK(again.events()[0].value == value);
    CHECK(std::signbit(again.events()[0].value) == std::signbit(value));
  }
}

TEST_CASE("adding in any pieces keeps what adding all at once does: the newest that fit") {
  for (std::uint32_t seed = 2; seed < 12; ++seed) {
    KeptEvents all;
    const std::vector<KeptEvent> events = made(all, 200, seed);
    all.add(events);
    const auto whole = all.pack(600, 0);
    CHECK(whole.size() <= 600);
    std::vector<std::uint8_t> packed;
    std::mt19937 random(seed);
    for (std::size_t begin = 0; begin < events.size();) {
      const std::size_t end = std::min(events.size(), begin + 1 + random() % 20);
      KeptEvents kept = KeptEvents::unpack(packed);
      std::vector<KeptEvent> piece;
      for (KeptEvent event : std::span(events).subspan(begin, end - begin)) {
        for (std::int32_t* code :
             {&event.type, &event.category, &event.brand, &event.channel, &event.query, &event.currency})
          if (*code >= 0) *code = kept.intern(all.names()[static_cast<std::size_t>(*code)]);
        for (std::int32_t& tag : event.tags) tag = kept.intern(all.names()[static_cast<std::size_t>(tag)]);
        piece.push_back(event);
      }
      kept.add(piece);
      packed = kept.pack(600, 0);
      begin = end;
    }
    CHECK(packed == whole);
    const KeptEvents kept = KeptEvents::unpack(whole);
    const auto everything = spelled(all);
    CHECK(spelled(kept) == std::vector(everything.end() - std::ssize(kept.events()), everything.end()));
    CHECK(kept.left_out() <= kept.events().front().time);
  }
}

/// Some events with names of their own.
KeptEvents taken(const KeptEvents& all, std::span<const KeptEvent> events) {
  KeptEvents own;
  std::vector<KeptEvent> moved(events.begin(), events.end());
  for (KeptEvent& event : moved) {
    for (std::int32_t* code :
         {&event.type, &event.category, &event.brand, &event.channel, &event.query, &event.currency})
      if (*code >= 0) *code = own.intern(all.names()[static_cast<std::size_t>(*code)]);
    for (std::int32_t& tag : event.tags) tag = own.intern(all.names()[static_cast<std::size_t>(tag)]);
  }
  own.add(moved);
  return own;
}

TEST_CASE("packing onto packed events gives what reading and merging them does, early or late, full or not") {
  std::mt19937 random(17);
  for (std::uint32_t seed = 20; seed < 60; ++seed) {
    KeptEvents all;
    std::vector<KeptEvent> events = made(all, 150, seed);
    const bool buys = seed % 3 != 0;
    const std::int32_t buy = all.intern("buy");
    for (KeptEvent& event : events) {
      if (buys && random() % 3 == 0) event.type = buy;
      // Some of them days apart, and some before 1970.
      if (seed % 4 == 0) event.time += static_cast<std::int64_t>(random() % 40) * 86'400'000'000;
      if (seed % 5 == 0 && random() % 9 == 0) event.time = -event.time;
    }
    if (seed % 2 == 0)  // mostly the newest come last
      std::stable_sort(events.begin(), events.end(), [](const auto& a, const auto& b) { return a.time < b.time; });
    const std::size_t limit = seed % 7 == 0 ? 100 : 600;
    std::vector<std::uint8_t> packed;
    for (std::size_t begin = 0; begin < events.size();) {
      const std::size_t end = std::min(events.size(), begin + 1 + random() % 4);
      const KeptEvents piece = taken(all, std::span(events).subspan(begin, end - begin));
      KeptEvents merged = KeptEvents::unpack(packed);
      merged.merge(piece);
      const auto expected = merged.pack(limit, 0);
      packed = piece.pack_onto(packed, limit);
      REQUIRE(packed == expected);
      begin = end;
    }
    CHECK(KeptEvents().pack_onto(packed, limit) == packed);
  }
}

TEST_CASE("damaged bytes are refused or packed onto") {
  KeptEvents all;
  all.add(made(all, 40, 6));
  const auto packed = all.pack(kRoom, 0);
  KeptEvents newer;
  KeptEvent event;
  event.time = all.events().back().time + 1;
  event.type = newer.intern("buy");
  newer.add(std::span(&event, 1));
  std::mt19937 random(7);
  for (int round = 0; round < 3'000; ++round) {
    auto damaged = packed;
    damaged.resize(round % 3 == 0 ? random() % packed.size() + 1 : packed.size());
    damaged[random() % damaged.size()] ^= static_cast<std::uint8_t>(1U << random() % 8);
    try {
      const std::size_t size = newer.pack_onto(damaged, 600).size();
      CHECK(size <= 600);
    } catch (const recocore::Error& error) {
      CHECK(error.code() == recocore::ErrorCode::corrupt);
    }
  }
}

TEST_CASE("what happened before a cutoff goes, and with it that older events were left out") {
  KeptEvents all;
  all.add(made(all, 200, 3));
  const KeptEvents kept = KeptEvents::unpack(all.pack(600, 0));
  const std::int64_t cutoff = kept.events()[kept.events().size() / 2].time;
  KeptEvents later;
  std::vector<KeptEvent> events = made(later, 200, 3);
  std::erase_if(events, [cutoff](const KeptEvent& event) { return event.time < cutoff; });
  later.add(events);
  CHECK(kept.pack(600, cutoff) == later.pack(600, cutoff));
  CHECK(kept.pack(600, all.events().back().time + 1).empty());
}

TEST_CASE("long names are cut at a character") {
  KeptEvents kept;
  const std::string name(99, 'x');
  const std::int32_t code = kept.intern(name + "\u00e9\u00e9");
  CHECK(kept.names()[static_cast<std::size_t>(code)] == name);
  CHECK(kept.intern(name) == code);
}

TEST_CASE("bytes that nobody packed are refused or read, and never more than that") {
  KeptEvents all;
  all.add(made(all, 60, 4));
  const auto packed = all.pack(kRoom, 0);
  for (std::size_t end = 1; end < packed.size(); ++end) {
    try {
      const std::size_t read = KeptEvents::unpack(std::span(packed).first(end)).events().size();
      CHECK(read <= 60);
    } catch (const recocore::Error& error) {
      CHECK(error.code() == recocore::ErrorCode::corrupt);
    }
  }
  std::mt19937 random(5);
  for (int round = 0; round < 3'000; ++round) {
    auto damaged = packed;
    damaged[random() % damaged.size()] ^= static_cast<std::uint8_t>(1U << random() % 8);
    try {
      static_cast<void>(KeptEvents::unpack(damaged));
    } catch (const recocore::Error& error) {
      CHECK(error.code() == recocore::ErrorCode::corrupt);
    }
  }
}

}  // namespace
