// The OpaqueString profile of RFC 8265 §4.2. User names and passwords are converted with it before they are
// compared or hashed, so that two keyboards that encode the same password differently still agree.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace turnpike::auth {

// Takes and returns UTF-8. Returns nothing when the profile forbids the text: an empty string, invalid UTF-8,
// control characters and other code points outside the PRECIS FreeformClass (RFC 8264 §4.3).
std::optional<std::string> opaque_string(std::string_view text);

}  // namespace turnpike::auth
