// UDP sockets for listeners and relays, and the errors that they report.
#pragma once

#include <optional>

#include "net/fd.hpp"
#include "turnpike/base/bytes.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/result.hpp"
#include "turnpike/stun/attributes.hpp"

namespace turnpike::net {

// Opens one worker's socket of a listener: non-blocking, with SO_REUSEPORT, and without IPv4 on an IPv6
// socket. A wildcard socket reports the local address of each datagram. For port 0 the kernel chooses a port
// that no other socket has. Throws std::system_error.
Fd open_udp_listener(const Endpoint& at);

// Throws std::system_error with EADDRINUSE when another socket is bound to the address. With SO_REUSEPORT
// alone, a second daemon would silently get half of the datagrams.
void require_free_udp_address(const Endpoint& at);

// Opens a non-blocking relay socket, bound to `at`. prepare_udp_relay() must follow before it carries data.
Result<Fd> open_udp_relay(const Endpoint& at);

// Makes a relay socket send without DF, queue ICMP errors, and receive runs of datagrams as one. Asks for
// `receive_buffer` bytes of receive buffer, of which the kernel may grant less; 0 means the kernel's default.
void prepare_udp_relay(int fd, Family family, std::uint32_t receive_buffer);

// Opens and prepares a second socket on the address of the relay socket `first`. Until it is connected, it
// may receive datagrams for the first one.
Result<Fd> open_second_udp_relay(int first, const Endpoint& at, std::uint32_t receive_buffer);

// Connects the socket: it then receives only from `peer` and sends only to it. Returns false when there is no
// route.
bool connect_udp(int fd, const Endpoint& peer);

// Allows the kernel to deliver consecutive datagrams of one length and one source as one run (UDP_GRO), which
// ReceivePool splits. A kernel without UDP_GRO continues to deliver them one by one.
void allow_received_runs(int fd);

// The local address of a socket, with the port that the kernel chose for port 0.
Endpoint local_endpoint(int fd);

// Asks for receive and send buffers of `bytes`. Returns the size of the receive buffer that the kernel
// granted.
int set_buffer_sizes(int fd, int bytes);

// The receive buffer in bytes that the kernel grants to a relay socket of this process when it asks for
// `bytes`.
std::uint32_t granted_receive_buffer(std::uint32_t bytes);

// Sends one datagram with DF set (RFC 8656 §14). Returns 0 or an errno. IPv4 has no option for a single
// message, so the socket's option is set and cleared again.
int send_dont_fragment(int fd, const Endpoint& to, Bytes payload);

// An error that the kernel reported for an earlier datagram.
struct SocketError {
  Endpoint peer;                   // the destination of that datagram; without its port when `is_local`
  std::optional<stun::Icmp> icmp;  // absent when RFC 8656 §11.5 does not forward the error
  bool is_local = false;           // this machine did not send it, because it was too large
};

// Takes the next entry of the socket's error queue; nothing when the queue is empty.
std::optional<SocketError> take_error(int fd);

}  // namespace turnpike::net
