// Text that people gave to things: realms, user names, room names.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace turnpike {

// The number of characters of a well-formed UTF-8 text; nothing when it is ill-formed or holds a control
// character.
std::optional<std::size_t> count_characters(std::string_view text);

// Whether a text is well-formed UTF-8, whatever its characters are.
bool is_utf8(std::string_view text);

// A DNS name or an address, without brackets, scheme, port or path.
bool is_host(std::string_view text);

}  // namespace turnpike
