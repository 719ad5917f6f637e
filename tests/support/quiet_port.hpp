// Ports for tests that close a port before it is opened again, or that need one that stays closed.
#pragma once

#include <random>

#include "net/socket_calls.hpp"
#include "turnpike/base/endpoint.hpp"

namespace turnpike::test {

// Whether nobody has this port, by UDP or TCP.
inline bool is_free(const Endpoint& at) {
  for (const int type : {SOCK_DGRAM, SOCK_STREAM}) {
    const net::Fd fd = net::open_socket(at.family(), type);
    if (!net::bind_socket(fd.get(), at)) return false;
  }
  return true;
}

// Returns a port that is free, and so are those after it when more than one is asked for. It is below
// ip_local_port_range, whose ports Linux gives to all sockets that ask for none. One of those would often be
// somebody else's a moment later, when other tests run at the same time.
inline std::uint16_t quiet_port(const IpAddress& address, int how_many = 1) {
  std::random_device random;
  std::uniform_int_distribution<int> any(16384, 32768 - how_many);
  for (;;) {
    const int first = any(random);
    int free = 0;
    while (free < how_many && is_free({address, static_cast<std::uint16_t>(first + free)})) ++free;
    if (free == how_many) return static_cast<std::uint16_t>(first);
  }
}

// The address with one such port.
inline Endpoint quiet_endpoint(const IpAddress& address) { return {address, quiet_port(address)}; }

}  // namespace turnpike::test
