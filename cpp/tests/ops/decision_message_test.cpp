#include "recocore/decision_message.hpp"

#include <doctest/doctest.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "ops/events/message_pack.hpp"
#include "ops/events/wire.hpp"
#include "recocore/error.hpp"

using namespace recocore;

namespace {

const DecisionWriter kWriter(std::map<std::string, std::uint64_t>{{"decline", 4}, {"rule", 1}});

/// The head of a map of few entries.
std::string map_head(int entries) {
  return std::string(1, static_cast<char>(0x80 + entries));
}

std::string packed_decision() {
  std::string out = map_head(5);
  events::Packer pack(out);
  pack.text("decision");
  pack.text("decline");
  pack.text("score");
  pack.whole(870);
  pack.text("probability");
  pack.number(0.25);
  pack.text("feature_time");
  pack.whole(-1);  // a microsecond before 1970
  pack.text("reasons");
  pack.array_head(1);
  out += map_head(3);
  pack.text("kind");
  pack.text("rule");
  pack.text("threshold");
  pack.array_head(2);
  pack.text("TW");
  pack.nil();
  pack.text("observed");
  pack.number(0.0);
  return out;
}

using Found = std::map<std::uint64_t, events::WireField>;

Found fields_of(std::string_view message) {
  Found found;
  events::WireReader reader(message);
  while (!reader.done()) {
    events::WireField field;
    REQUIRE(reader.next(field));
    found[field.number] = field;
  }
  return found;
}

bool refused(const std::string& packed) {
  try {
    (void)kWriter.write(packed);
  } catch (const Error& error) {
    return error.code() == ErrorCode::corrupt;
  }
  return false;
}

}  // namespace

TEST_CASE("a decision's message has its fields by their numbers") {
  const std::string message = kWriter.write(packed_decision());
  Found decision = fields_of(message);
  REQUIRE(decision.size() == 5);
  CHECK(decision[3].bits == 4);
  CHECK(decision[6].bits == 870);
  CHECK(std::bit_cast<double>(decision[7].bits) == 0.25);
  Found time = fields_of(decision[14].view);
  CHECK(static_cast<std::int64_t>(time[1].bits) == -1);
  CHECK(time[2].bits == 999'999'000);
  Found reason = fields_of(decision[9].view);
  CHECK(reason[2].bits == 1);
  Found observed = fields_of(reason[3].view);  // 0 is there: an absent Value says nothing
  REQUIRE(observed.size() == 1);
  CHECK(observed[2].bits == 0);
  Found threshold = fields_of(reason[4].view);
  CHECK(threshold[6].view == std::string_view("\x0a\x04\x1a\x02TW\x0a\x02\x08\x00", 10));
}

TEST_CASE("what is no decision is corrupt, wherever it is cut or changed") {
  const std::string packed = packed_decision();
  CHECK_FALSE(refused(packed));
  for (std::size_t size = 0; size < packed.size(); ++size) CHECK(refused(packed.substr(0, size)));
  CHECK(refused(packed + '\0'));
  for (std::size_t at = 0; at < packed.size(); ++at)
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = packed;
      changed[at] = static_cast<char>(changed[at] ^ (1 << bit));
      (void)refused(changed);  // another decision, or corrupt: no other error, and nothing is read beyond the end
    }
  std::string deep = map_head(1);
  events::Packer pack(deep);
  pack.text("reasons");
  pack.array_head(1);
  deep += map_head(1);
  pack.text("observed");
  deep.append(100'000, '\x91');
  CHECK(refused(deep));
}
