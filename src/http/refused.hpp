// Reports of what the HTTP server and its site refuse. The server passes them to a callback; the owner of the
// callback writes the log.
#pragma once

#include <functional>
#include <string>
#include <string_view>

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

// Called on the server's thread.
using OnRefused = std::function<void(const Refused&)>;

}  // namespace turnpike::http
