// The OpaqueString profile of RFC 8265 §4.2: what user names and passwords are turned into before they are
// compared or hashed, so that two keyboards that type one password differently still agree.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace turnpike::auth {

// UTF-8 in and out. Nothing for what the profile refuses: an empty string, invalid UTF-8, control characters
// and other code points outside the PRECIS FreeformClass (RFC 8264 §4.3).
std::optional<std::string> opaque_string(std::string_view text);

}  // namespace turnpike::auth
