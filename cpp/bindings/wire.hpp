// Numbers as protocol buffers write them.
#pragma once

#include "ops/events/wire.hpp"

namespace recocore::bindings {

using events::append_varint;

}  // namespace recocore::bindings
