// TCP sockets for listeners and relays, and the connections that they accept.
#pragma once

#include <optional>

#include "net/fd.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/result.hpp"

namespace turnpike::net {

// Opens one worker's socket of a listener: non-blocking, with SO_REUSEPORT, without IPv4 on an IPv6 socket,
// and listening. Throws std::system_error.
Fd open_tcp_listener(const Endpoint& at);

// Throws std::system_error with EADDRINUSE when another process listens at this address. With SO_REUSEPORT
// alone, a second daemon would silently get half of the connections.
void require_free_tcp_address(const Endpoint& at);

// An accepted connection. Its socket is non-blocking.
struct Accepted {
  Fd fd;
  Endpoint from;
};

// Accepts the next connection. When it returns nothing, errno is set; it is EAGAIN when no connection waits.
std::optional<Accepted> accept_tcp(int listener);

// Opens a relayed address that peers can connect to (RFC 6062). The socket is non-blocking and listening.
Result<Fd> open_tcp_relay(const Endpoint& at);

// Begins a connection from the relayed address `from`, whose listening socket must be open. When the socket
// becomes writable, the connection is open or has failed: see connection_error().
Result<Fd> connect_tcp(const Endpoint& from, const Endpoint& to);

// The result of a connection that was begun; no error means that it is open.
boost::system::error_code connection_error(int fd);

// Whether an errno means that this machine has no more descriptors or memory.
bool is_exhaustion(int error);

// The local address of a connection.
std::optional<Endpoint> connection_endpoint(int fd);

}  // namespace turnpike::net
