#include "recocore/decision_message.hpp"

#include "ops/events/message_pack.hpp"
#include "ops/events/wire.hpp"
#include "recocore/error.hpp"

namespace recocore {
namespace {

using Numbers = std::vector<std::pair<std::string, std::uint64_t>>;

/// Lists in lists that are read; what observed and threshold hold is one list.
constexpr int kDeepest = 16;

class Decisions {
 public:
  explicit Decisions(const Numbers& numbers) : numbers_(numbers) {}

  using Kind = events::PackedKind;
  using Unpacker = events::Unpacker;
  using Value = events::PackedValue;

  void decision(Unpacker& in, std::string& out) const {
    events::WireWriter fields(out);
    std::string part;
    const auto of_each = [&](auto&& write) {
      for (std::uint64_t each = count(in, Kind::array); each > 0; --each) write();
    };
    for (std::uint64_t left = count(in, Kind::map); left > 0; --left) {
      const std::string_view name = text(in);
      part.clear();
      if (name == "decision_id") {
        fields.text(1, text(in));
      } else if (name == "event_id") {
        fields.text(2, text(in));
      } else if (name == "decision" || name == "policy") {
        fields.whole(name == "decision" ? 3 : 4, enumerated(in));
      } else if (name == "propensity") {
        fields.number(5, number(next(in)));
      } else if (name == "score") {
        fields.whole(6, static_cast<std::uint64_t>(whole(in)));
      } else if (name == "probability") {
        fields.number(7, number(next(in)));
      } else if (name == "penalties") {
        of_each([&] { events::append_varint(part, enumerated(in)); });
        fields.text(8, part);
      } else if (name == "reasons" || name == "shadow") {
        of_each([&] {
          part.clear();
          name == "reasons" ? reason(in, part) : shadow(in, part);
          fields.bytes(name == "reasons" ? 9 : 11, part);
        });
      } else if (name == "errors") {
        of_each([&] { fields.bytes(10, text(in)); });
      } else if (name == "ruleset_version") {
        fields.text(12, text(in));
      } else if (name == "model_version") {
        fields.text(13, text(in));
      } else if (name == "feature_time") {
        timestamp(whole(in), part);
        fields.bytes(14, part);
      } else if (name == "rings_version") {
        fields.text(15, text(in));
      } else {
        refuse("no field " + std::string(name));
      }
    }
  }

 private:
  [[noreturn]] static void refuse(const std::string& expected) {
    throw Error(ErrorCode::corrupt, "packed: expected a decision, with " + expected);
  }
  static Value next(Unpacker& in) {
    Value value;
    if (!in.next(value)) refuse("more bytes");
    return value;
  }
  static std::uint64_t count(Unpacker& in, Kind kind) {
    const Value value = next(in);
    if (value.kind != kind) refuse(kind == Kind::map ? "a map in its place" : "a list in its place");
    return value.bits;
  }
  static std::string_view text(Unpacker& in) {
    const Value value = next(in);
    if (value.kind != Kind::text) refuse("a text in its place");
    return value.view;
  }
  static double number(const Value& value) {
    if (value.kind == Kind::number) return value.number;
    if (value.kind == Kind::unsigned_whole) return static_cast<double>(value.bits);
    if (value.kind == Kind::whole) return static_cast<double>(static_cast<std::int64_t>(value.bits));
    refuse("a number in its place");
  }
  static std::int64_t whole(Unpacker& in) {
    const Value value = next(in);
    if (value.kind != Kind::whole && value.kind != Kind::unsigned_whole) refuse("a whole number in its place");
    return static_cast<std::int64_t>(value.bits);
  }
  [[nodiscard]] std::uint64_t enumerated(Unpacker& in) const {
    const Value value = next(in);
    if (value.kind == Kind::nil) return 0;
    for (const auto& [name, number] : numbers_)
      if (value.kind == Kind::text && name == value.view) return number;
    refuse("a name of an enumeration in its place");
  }

  /// A google.protobuf.Value.
  static void any(Unpacker& in, std::string& out, int depth = 0) {
    if (depth > kDeepest) refuse("lists in lists that end");
    const Value value = next(in);
    events::WireWriter fields(out);
    switch (value.kind) {
      case Kind::nil: out.append("\x08\0", 2); return;
      case Kind::boolean: out.append(value.bits != 0 ? "\x20\1" : "\x20\0", 2); return;
      case Kind::text: fields.bytes(3, value.view); return;
      case Kind::array: {
        std::string list;
        for (std::uint64_t i = 0; i < value.bits; ++i) {
          std::string each;
          any(in, each, depth + 1);
          events::WireWriter(list).bytes(1, each);
        }
        fields.bytes(6, list);
        return;
      }
      default: fields.given_number(2, number(value));
    }
  }

  /// A google.protobuf.Struct.
  static void structure(Unpacker& in, std::string& out) {
    const std::uint64_t size = count(in, Kind::map);
    std::string entry;
    std::string value;
    for (std::uint64_t i = 0; i < size; ++i) {
      entry.clear();
      value.clear();
      events::WireWriter fields(entry);
      fields.bytes(1, text(in));
      any(in, value);
      fields.bytes(2, value);
      events::WireWriter(out).bytes(1, entry);
    }
  }

  void reason(Unpacker& in, std::string& out) const {
    events::WireWriter fields(out);
    std::string part;
    for (std::uint64_t left = count(in, Kind::map); left > 0; --left) {
      const std::string_view name = text(in);
      part.clear();
      if (name == "code") {
        fields.text(1, text(in));
      } else if (name == "kind") {
        fields.whole(2, enumerated(in));
      } else if (name == "observed" || name == "threshold") {
        any(in, part);
        fields.bytes(name == "observed" ? 3 : 4, part);
      } else if (name == "window") {
        fields.text(5, text(in));
      } else if (name == "contribution") {
        fields.number(6, number(next(in)));
      } else if (name == "evidence") {
        for (std::uint64_t each = count(in, Kind::array); each > 0; --each) {
          part.clear();
          structure(in, part);
          fields.bytes(7, part);
        }
      } else {
        refuse("no field " + std::string(name) + " of a reason");
      }
    }
  }

  void shadow(Unpacker& in, std::string& out) const {
    events::WireWriter fields(out);
    for (std::uint64_t left = count(in, Kind::map); left > 0; --left) {
      const std::string_view name = text(in);
      if (name == "rule")
        fields.text(1, text(in));
      else if (name == "status" || name == "outcome")
        fields.whole(name == "status" ? 2 : 3, enumerated(in));
      else if (name == "score")
        fields.whole(4, static_cast<std::uint64_t>(whole(in)));
      else
        refuse("no field " + std::string(name) + " of a rule in shadow");
    }
  }

  static void timestamp(std::int64_t microseconds, std::string& out) {
    constexpr std::int64_t kSecond = 1'000'000;
    const std::int64_t rest = (microseconds % kSecond + kSecond) % kSecond;
    events::WireWriter fields(out);
    fields.whole(1, static_cast<std::uint64_t>((microseconds - rest) / kSecond));
    fields.whole(2, static_cast<std::uint64_t>(rest * 1000));
  }

  const Numbers& numbers_;
};

}  // namespace

std::string DecisionWriter::write(std::string_view packed) const {
  events::Unpacker in(packed);
  std::string out;
  out.reserve(1024);
  Decisions(numbers_).decision(in, out);
  if (!in.done()) throw Error(ErrorCode::corrupt, "packed: expected a decision, with nothing after it");
  return out;
}

}  // namespace recocore
