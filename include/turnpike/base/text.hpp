// Text that people write, such as realms, user names, room names and host names: checks of it, and shared
// copies.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace turnpike {

// The number of characters of a UTF-8 text. Nothing when the text is ill-formed or contains a control
// character.
std::optional<std::size_t> count_characters(std::string_view text);

// Whether a well-formed UTF-8 text contains a character that sets the direction of the text behind it: an
// embedding, an override or an isolate (UAX #9), or the end of one. They reorder whatever stands around the
// text. Letters with a direction of their own, and the marks U+200E, U+200F and U+061C, do not.
bool sets_direction(std::string_view text);

// Whether a text is well-formed UTF-8. It may contain any characters.
bool is_utf8(std::string_view text);

// Whether the text is a DNS name or an IP address, without brackets, scheme, port or path.
bool is_host(std::string_view text);

// A text that several owners send, without a copy for each.
inline std::shared_ptr<const std::string> share_text(std::string text) {
  return std::make_shared<const std::string>(std::move(text));
}

}  // namespace turnpike
