// Any bytes as a RecordEventsRequest: the native reader gives rows or leaves the request, and never reads past its end.
// Built by hand, since only clang has libFuzzer: see CONTRIBUTING.md.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "recocore/event_messages.hpp"

namespace {

// Fields of every kind, as many as an Event has.
const recocore::EventMessages& reader() {
  using Kind = recocore::EventMessageKind;
  static const recocore::EventMessages made({{1, "event_id", Kind::text, 0, 64, true},
                                             {2, "user_id", Kind::text, 0, 256, true},
                                             {3, "type", Kind::type, 0, 32, true},
                                             {4, "item_id", Kind::text, 0, 256, false},
                                             {5, "event_time", Kind::time, 0, 0, false},
                                             {6, "quantity", Kind::whole, -1'000'000, 1'000'000, false},
                                             {7, "unit_price_minor", Kind::whole, 0, INT64_MAX, false},
                                             {8, "weight", Kind::number, 0, 0, false},
                                             {9, "attribution_token", Kind::token, 0, 512, false},
                                             {10, "arm", Kind::text, 0, 64, false},
                                             {12, "tags", Kind::texts, 32, 64, false}},
                                            {11}, 4, 10, {"search", "login"});
  return made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view request(reinterpret_cast<const char*>(data), size);
  const auto found = reader().read(request, 1'750'000'000'000'000, 100);
  if (!found) return 0;
  if (found->rows.size() > 100) __builtin_trap();
  for (const auto& token : found->tokens) {
    if (token.row >= found->rows.size()) __builtin_trap();
    // A token lies in the request.
    if (!token.text.empty() &&
        (token.text.data() < request.data() || token.text.data() + token.text.size() > request.data() + request.size()))
      __builtin_trap();
  }
  for (const std::string& row : found->rows)
    if (!row.empty() && static_cast<unsigned char>(row[0]) != 0xde) __builtin_trap();  // a MessagePack map
  return 0;
}
