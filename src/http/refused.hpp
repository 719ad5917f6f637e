// What the HTTP server and its site refuse, as they tell whoever writes the log. They count and tell; they
// write nothing themselves.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "turnpike/base/endpoint.hpp"

namespace turnpike::http {

struct Refused {
  std::string_view what;  // a literal: "origin", "room-full"
  std::string_view key;   // a literal: the key of the configuration that decides
  IpAddress client;
  std::string detail{};  // a stranger's text, such as the origin; empty without one
};

// Called on the server's thread.
using TellRefused = std::function<void(const Refused&)>;

}  // namespace turnpike::http
