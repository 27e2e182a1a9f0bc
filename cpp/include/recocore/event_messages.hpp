// Events of a RecordEventsRequest as the rows that a state takes.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace recocore {

/// What a field of an event message holds.
enum class EventMessageKind : std::uint8_t {
  text,    ///< up to `most` bytes; empty is absent
  type,    ///< a text of 1 to `most` of a-z, 0-9 and _
  time,    ///< a google.protobuf.Timestamp
  whole,   ///< an int64 from `least` to `most`
  number,  ///< a finite double
  token,   ///< a text, of which the caller is told
  texts,   ///< repeated, up to `least` times: a text of 1 to `most` characters, none a control character
};

struct EventMessageField {
  int number = 0;    ///< in the message, 1 to 63
  std::string name;  ///< in the row
  EventMessageKind kind = EventMessageKind::text;
  std::int64_t least = 0;
  std::int64_t most = 0;
  bool required = false;
};

/// Reads events that are sound, and leaves every other to the caller, who can say what is wrong with it.
///
/// What it gives for a field, the caller's slow way would give too: it is a shorter way, not another opinion. Fields
/// that it does not know are dropped, as the slow way drops them; those of `left` make it leave the event.
class EventMessages {
 public:
  /// What a request holds.
  struct Rows {
    std::int64_t durability = 0;
    std::vector<std::string> rows;  ///< of each event a MessagePack map by name; empty where it is left to the caller
    struct Token {
      std::size_t row = 0;
      std::string_view text;  ///< in the request
      bool has_arm = false;   ///< the event has the field `arm` as well
    };
    std::vector<Token> tokens;  ///< of the rows
  };

  /// Throws Error{invalid_argument} for numbers out of range.
  ///
  /// `item` is the number of the field that is required unless the type is one of `itemless`; `arm` that of the field
  /// of which is told with a token.
  EventMessages(std::vector<EventMessageField> fields, const std::vector<int>& left, int item, int arm,
                std::vector<std::string> itemless);

  /// The rows of a request, at most `most` of them. None where the bytes are not plainly such a message, or have more.
  ///
  /// `now` is in microseconds since 1970: the time of an event that has none, and a day before the latest one.
  [[nodiscard]] std::optional<Rows> read(std::string_view request, std::int64_t now, std::size_t most) const;

 private:
  static constexpr std::size_t kNumbers = 64;
  struct Known {
    EventMessageField field;
    std::string packed_name;
  };

  [[nodiscard]] bool append_row(std::string_view event, std::int64_t now, std::string& row, Rows::Token& token) const;

  std::vector<Known> fields_;
  std::array<std::int8_t, kNumbers> place_{};  // in fields_, -1 for none
  std::uint64_t left_ = 0, required_ = 0, item_ = 0, arm_ = 0, time_ = 0, texts_ = 0;
  std::string packed_time_, packed_texts_;
  std::vector<std::string> itemless_;
};

}  // namespace recocore
