// Numbers as protocol buffers write them.
#pragma once

#include <cstdint>
#include <string>

namespace recocore::bindings {

/// Seven bits a byte, the lowest first; all but the last have the highest bit set.
inline void append_varint(std::string& out, std::uint64_t number) {
  for (; number > 127; number >>= 7U) out.push_back(static_cast<char>((number & 127U) | 128U));
  out.push_back(static_cast<char>(number));
}

}  // namespace recocore::bindings
