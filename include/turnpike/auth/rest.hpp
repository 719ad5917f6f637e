// Time-limited credentials of the TURN REST draft (draft-uberti-behave-turn-rest): the user name carries its
// expiry, the password is made from it with a secret that the server shares with the web application.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "turnpike/base/time.hpp"
#include "turnpike/crypto/digest.hpp"

namespace turnpike::auth {

struct RestName {
  WallTime expires;
  std::string_view user;  // views the name; empty when it is an expiry alone
};

// `expiry:user` or `expiry`, where expiry is Unix time in seconds: 1 to 15 digits and nothing else.
std::optional<RestName> parse_rest_name(std::string_view username);

// Whether the user is a guest whom signaling has named, by where it comes from.
bool is_guest_name(std::string_view user);

// base64(HMAC-SHA1(secret, username)).
std::string rest_password(crypto::Digester& digester, std::string_view secret, std::string_view username);

}  // namespace turnpike::auth
