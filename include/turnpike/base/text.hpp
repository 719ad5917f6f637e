// Checks of text that people write: realms, user names, room names, host names.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace turnpike {

// The number of characters of a UTF-8 text. Nothing when the text is ill-formed or contains a control
// character.
std::optional<std::size_t> count_characters(std::string_view text);

// Whether a text is well-formed UTF-8. It may contain any characters.
bool is_utf8(std::string_view text);

// Whether the text is a DNS name or an IP address, without brackets, scheme, port or path.
bool is_host(std::string_view text);

}  // namespace turnpike
