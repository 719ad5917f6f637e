// TCP sockets as listeners need them, and what they accept.
#pragma once

#include <optional>

#include "net/fd.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/result.hpp"

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

// A relayed address that peers connect to (RFC 6062): non-blocking and listening.
Result<Fd> open_tcp_relay(const Endpoint& at);

// Begins a connection from the relayed address `from`, whose listening socket is open. It is there, or has
// failed, when the socket is writable: see connection_error().
Result<Fd> connect_tcp(const Endpoint& from, const Endpoint& to);

// What has become of a connection that was begun; without an error it is there.
boost::system::error_code connection_error(int fd);

// Whether an errno says that the machine, and not the other side, has no more to give.
bool is_exhaustion(int error);

// The address here that a connection came to.
std::optional<Endpoint> connection_endpoint(int fd);

}  // namespace turnpike::net
