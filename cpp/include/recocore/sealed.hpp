// What a state keeps encrypted: the rows of its log, and the entries of its table of records. Their layout is that of
// `segment.py`, `table.py` and `user_keys.py`, which say what each byte is.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "recocore/aead.hpp"

namespace recocore {

/// What a row says in the clear.
struct RowHead {
  std::uint8_t kind = 0;
  std::uint32_t slot = 0;
  std::int64_t time = 0;
  std::string_view subject;  ///< 16 bytes
  std::string_view event;    ///< 16 bytes
};

/// How many bytes a row has.
[[nodiscard]] std::size_t row_bytes(std::string_view plain) noexcept;

/// Writes the bytes of a row, its payload encrypted. 0.7 us.
///
/// Throws Error{invalid_argument} where subject, event or nonce have another length.
void seal_row(const RowHead& head, std::string_view plain, std::uint64_t commit, const Aead& aead,
              std::string_view nonce, char* row);

/// The value of a user's entry with a record; throws as seal_row().
[[nodiscard]] std::string seal_entry(std::string_view subject, std::uint32_t slot, std::string_view record,
                                     const Aead& aead, std::string_view nonce);

/// What an entry adds to a table's sum: of its key of 16 bytes, and the last 8 of its value.
[[nodiscard]] std::uint64_t entry_sum(std::string_view subject, std::string_view value) noexcept;

/// Where the users' keys are, and what opens them.
struct UserKeyFile {
  int descriptor = -1;
  std::string_view authenticated;  ///< with every slot, its number apart
  std::span<const std::pair<std::uint32_t, const Aead*>> masters;
};

struct OpenedEntry {
  std::uint32_t slot = 0;
  std::unique_ptr<Aead> aead;
  std::string record;
  std::uint64_t added = 0;  ///< to the table's sum
};

/// The record in an entry's value, with the user's key; nothing where there is anything to be said about it: a
/// tombstone, a key that was destroyed, damage, a master key that is not known. 2 us.
[[nodiscard]] std::optional<OpenedEntry> open_entry(std::string_view subject, std::string_view value,
                                                    const UserKeyFile& keys);

}  // namespace recocore
