// Listeners as all workers share them: one socket for each worker on one address. For NAT discovery (RFC 5780
// §6) also the other three of its four addresses.
#pragma once

#include <cstddef>
#include <vector>

#include "net/fd.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/turn/nat_discovery.hpp"

namespace turnpike::daemon {

struct SharedListener {
  Endpoint at;                   // an unspecified address for a wildcard listener
  std::vector<net::Fd> sockets;  // as many as there are workers
};

// A TCP socket for each transport that is a stream. Throws std::system_error.
SharedListener open_shared_listener(Transport transport, Endpoint at, std::size_t workers);

struct DiscoveryListeners {
  std::vector<SharedListener> listeners;  // the primary one first
  turn::NatDiscovery::Params discovery;   // counts them from 0
};

// Where a port is 0, one that is free on both addresses. Throws std::system_error where it is the primary
// that cannot be had, else std::runtime_error.
DiscoveryListeners open_discovery_listeners(Transport transport, const Endpoint& primary,
                                            const Endpoint& alternate, std::size_t workers,
                                            const std::vector<IpAddress>& own_addresses);

}  // namespace turnpike::daemon
