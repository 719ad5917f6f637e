// TCP sockets for listeners and relays, and the connections that they accept.
#pragma once

#include <compare>
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
// With EMFILE the connection either still waits or, when only the reserve was left for it, is closed already.
//
// Strangers cause this and the relays below, so none of them takes a descriptor of the reserve
// (descriptor_reserve.hpp).
std::optional<Accepted> accept_tcp(int listener);

// Opens a relayed address that peers can connect to (RFC 6062). The socket is non-blocking and listening.
Result<Fd> open_tcp_relay(const Endpoint& at);

// Begins a connection from the relayed address `from`, whose listening socket must be open. When the socket
// becomes writable, the connection is open or has failed: see connection_error().
Result<Fd> connect_tcp(const Endpoint& from, const Endpoint& to);

// The result of a connection that was begun; no error means that it is open.
boost::system::error_code connection_error(int fd);

// The two addresses of a connection. The kernel has one connection at a time that has them.
struct ConnectionEnds {
  Endpoint local;
  Endpoint remote;

  friend auto operator<=>(const ConnectionEnds&, const ConnectionEnds&) = default;
};
// Nothing when the socket is not connected.
std::optional<ConnectionEnds> connection_ends(int fd);

// Whether the other side has acknowledged everything that was sent, and the end too, if it was sent.
bool is_acknowledged(int fd);

// Resets the connection at once, from any thread. The descriptor stays open, and its owner gets an event.
void reset_connection(int fd);

// Whether an errno of connect_tcp() may mean that a connection with these addresses is still there. It is
// also the error when the machine no longer has the local address.
bool is_still_there(int error);

// Whether an errno means that this machine has no more descriptors or memory.
bool is_exhaustion(int error);

// The local address of a connection.
std::optional<Endpoint> connection_endpoint(int fd);

}  // namespace turnpike::net
