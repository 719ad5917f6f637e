// Octets as hex digits.
#pragma once

#include <string_view>

#include "turnpike/base/bytes.hpp"

namespace turnpike {

// Fills the whole of `out`. Returns false when `text` has another length or contains characters other than
// hex digits.
bool parse_hex(std::string_view text, MutableBytes out);

}  // namespace turnpike
