// UDP sockets as listeners and relays need them, and the errors that come back through them.
#pragma once

#include <optional>
#include <system_error>

#include "net/fd.hpp"
#include "turnpike/base/bytes.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/result.hpp"
#include "turnpike/stun/attributes.hpp"

namespace turnpike::net {

// One worker's socket of a listener: non-blocking, SO_REUSEPORT, IPv6 only where it is IPv6. A wildcard
// socket reports the address each datagram came to. Throws std::system_error.
Fd open_udp_listener(const Endpoint& at);

// Throws std::system_error with EADDRINUSE when another socket holds the address. With SO_REUSEPORT alone a
// second daemon would silently get half of the datagrams.
void require_free_udp_address(const Endpoint& at);

// A relay socket, bound to `at`: non-blocking, never setting DF on its own, with ICMP errors queued, and with
// so many bytes to receive into as far as the kernel grants them; 0 for as many as it gives by itself.
Result<Fd> open_udp_relay(const Endpoint& at, std::uint32_t receive_buffer = 0);

// A second socket on the address of the relay socket `first`. Until it is connected it may receive what is
// for the first.
Result<Fd> open_second_udp_relay(int first, const Endpoint& at, std::uint32_t receive_buffer);

// From here on the socket receives from `peer` alone, and sends to it; false when there is no way to it.
bool connect_udp(int fd, const Endpoint& peer);

// Lets the kernel hand over neighbours of one length and source as one run (UDP_GRO), which ReceivePool takes
// apart; a kernel that cannot do so goes on handing them over one by one.
void allow_received_runs(int fd);

// Where a socket is bound, which tells the port that was chosen for port 0.
Endpoint local_endpoint(int fd);

// Asks for `bytes` of receive and send buffer; returns how many bytes of receive buffer the kernel granted.
int set_buffer_sizes(int fd, int bytes);

// How much of a relay socket's receive buffer the kernel grants to this process.
std::uint32_t granted_receive_buffer(std::uint32_t bytes);

// Sends one datagram with DF set (RFC 8656 §14), or returns the errno. IPv4 has no way to say so per message,
// so the socket's option is turned on and off again.
int send_dont_fragment(int fd, const Endpoint& to, Bytes payload);

// What the kernel noted about a datagram sent earlier.
struct SocketError {
  Endpoint peer;                   // whom that datagram was for
  std::optional<stun::Icmp> icmp;  // absent: nothing that RFC 8656 §11.5 passes on
};

// Takes the next entry from the socket's error queue; nothing when that is empty.
std::optional<SocketError> take_error(int fd);

}  // namespace turnpike::net
