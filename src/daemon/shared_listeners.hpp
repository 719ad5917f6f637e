// Opens the listeners of all workers: one socket for each worker on one address. For NAT discovery (RFC 5780
// §6) it also opens the other three of the four addresses.
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
  turn::NatDiscovery::Params discovery;   // its listener numbers are indexes of `listeners`
};

// A port of 0 is replaced by one that is free on both addresses. Throws std::system_error when the primary
// address cannot be opened, and std::runtime_error when another one cannot.
DiscoveryListeners open_discovery_listeners(Transport transport, const Endpoint& primary,
                                            const Endpoint& alternate, std::size_t workers,
                                            const std::vector<IpAddress>& own_addresses);

}  // namespace turnpike::daemon
