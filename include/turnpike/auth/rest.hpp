// Time-limited credentials of the TURN REST draft (draft-uberti-behave-turn-rest). The user name contains its
// expiry. The password is computed from the user name with a secret that the server shares with the web
// application.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "turnpike/base/time.hpp"
#include "turnpike/crypto/digest.hpp"

namespace turnpike::auth {

struct RestName {
  WallTime expires;
  std::string_view user;  // views the parsed name; empty when the name is an expiry alone
};

// Parses `expiry:user` or `expiry`, where expiry is Unix time in seconds with 1 to 15 digits. Nothing when
// the name has another form.
std::optional<RestName> parse_rest_name(std::string_view username);

// Whether `name` is that of this user, or one with an expiry before it, such as "1792000000:ann" for "ann".
bool is_name_of(std::string_view name, std::string_view user);

// Whether signaling made this user name for a guest. Such names say where the guest came from.
bool is_guest_name(std::string_view user);
// The user name for the subject of a token: the subject, but never the name of a guest. Two subjects never
// get the same name.
std::string user_of_subject(std::string_view subject);

// base64(HMAC-SHA1(secret, username)).
std::string rest_password(crypto::Digester& digester, std::string_view secret, std::string_view username);

}  // namespace turnpike::auth
