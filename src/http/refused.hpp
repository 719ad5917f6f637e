// Reports of what the HTTP server and its site refuse. The server passes them to a callback; the owner of the
// callback writes the log.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "http/message.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/signaling/refusal.hpp"

namespace turnpike::http {

struct Refused {
  std::string_view what;  // a string literal, such as "origin" or "room-full"
  std::string_view key;   // a string literal: the configuration key that decides
  IpAddress client;
  std::string detail{};  // text from a stranger, such as the origin; may be empty
};

// Returns the report of what a protocol has refused.
inline Refused refused_of(signaling::Refusal why, const IpAddress& client) {
  return {signaling::code_of(why), signaling::key_of(why), client};
}

// Returns the report of a request whose page has an origin that Origins does not allow.
inline Refused refused_origin(const Request& request) {
  return {"origin", "signaling.cors", request.client, std::string(request.header("origin"))};
}

// Called on the server's thread.
using OnRefused = std::function<void(const Refused&)>;

}  // namespace turnpike::http
