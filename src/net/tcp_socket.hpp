// TCP sockets as listeners need them, and what they accept.
#pragma once

#include <optional>

#include "net/fd.hpp"
#include "turnpike/base/endpoint.hpp"

namespace turnpike::net {

// One worker's socket of a listener: non-blocking, SO_REUSEPORT, IPv6 only where it is IPv6, already
// listening. Throws std::system_error.
Fd open_tcp_listener(const Endpoint& at);

// Throws std::system_error with EADDRINUSE when somebody else listens there. With SO_REUSEPORT alone a second
// daemon would silently get half of the connections.
void require_free_tcp_address(const Endpoint& at);

// A connection that waited to be accepted, non-blocking.
struct Accepted {
  Fd fd;
  Endpoint from;
};

// The next one; without, errno says why: EAGAIN when none waits.
std::optional<Accepted> accept_tcp(int listener);

// The address here that a connection came to.
std::optional<Endpoint> connection_endpoint(int fd);

}  // namespace turnpike::net
