// A web server behind a listener, and a connection on its way to it. Plain data.
#pragma once

#include <functional>
#include <string_view>

#include "net/fd.hpp"
#include "turnpike/base/endpoint.hpp"

namespace turnpike::relay {

// The web server that gets the connections of a listener that ask for a name which is not ours.
struct WebServer {
  Endpoint at;
  bool wants_proxy_header = false;  // whether it gets a header of the PROXY protocol, version 2

  friend bool operator==(const WebServer&, const WebServer&) = default;
};

// A connection for a web server. No octet of the client has been read from the socket.
struct PassedConnection {
  Endpoint client;
  Endpoint server;  // the address here that it came to
  WebServer web;
  bool is_exempt = false;  // from the limits per address
};

// Both are called on the threads of all workers.
using WebHandOver = std::function<void(net::Fd, const PassedConnection&)>;
// Whether a name that a client asks for is one of ours, and stays here.
using IsOurs = std::function<bool(std::string_view name)>;

}  // namespace turnpike::relay
