// Rows of a state's log from the MessagePack maps in which events come.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "recocore/blake2b.hpp"

namespace recocore {

/// What a field of a row holds.
enum class EventRowKind : std::uint8_t {
  text,    ///< up to `most` bytes
  id,      ///< a text of 1 to `most` bytes
  name,    ///< an id, or a whole number that becomes its text
  time,    ///< microseconds since 1970, to a day from now; now where it is absent
  whole,   ///< 64 bits
  number,  ///< a finite float64
  texts,   ///< an array of up to `count` texts of 1 to `most` characters, none a control character
};

struct EventRowField {
  std::string name;
  EventRowKind kind = EventRowKind::text;
  std::int64_t most = 0;
  std::int64_t count = 0;
};

/// A row as the log keeps it, before it is encrypted, and what its writer has to know.
struct EventRow {
  std::string packed;              ///< a MessagePack array of the fields in their order, absent ones nil
  std::int64_t time = 0;           ///< of the event
  KeyedBlake2b::Digest subject{};  ///< whose it is
  KeyedBlake2b::Digest event{};    ///< of the event_id, zeros without one
  bool visitor = false;            ///< the subject is a visitor
  bool has_item = false;
  std::string item;
  std::string type;
};

/// Checks rows that are sound, and leaves every other to the caller, who can say what is wrong with it.
class EventRows {
 public:
  /// The keyed hashes by which users, visitors and events are known.
  struct Hashes {
    KeyedBlake2b users, visitors, events;
  };

  /// Of `fields`, event_id, event_time, user_id, visitor_id, item_id and type have to be there.
  ///
  /// Throws Error{invalid_argument} where they are not.
  EventRows(std::vector<EventRowField> fields, std::vector<std::string> itemless, std::string default_type,
            const Hashes& hashes);

  /// The row in a MessagePack map; false where it is left to the caller. `now` is in microseconds since 1970.
  [[nodiscard]] bool read(std::string_view map, std::int64_t now, EventRow& row) const;

 private:
  static constexpr std::size_t kMostFields = 64;

  [[nodiscard]] std::size_t place_of(std::string_view name, std::size_t likely) const;

  std::vector<EventRowField> fields_;
  std::vector<std::string> itemless_;
  std::string default_type_;
  Hashes hashes_;
  std::size_t event_id_, event_time_, user_, visitor_, item_, type_;
};

}  // namespace recocore
