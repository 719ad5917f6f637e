// The addresses of this machine.
#pragma once

#include <optional>
#include <vector>

#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/prefix.hpp"

namespace turnpike::net {

// All addresses of all interfaces that are up, loopback included. Throws std::system_error.
std::vector<IpAddress> interface_addresses();

// The networks of the IPv6 addresses among them, by the prefix length of each address. Routes are not
// considered, since a default route leads everywhere. Throws std::system_error.
std::vector<Prefix> interface_networks();

// The source address that the kernel would use for the Internet; nothing without a default route, or when
// that is a link-local address of IPv6. It sends nothing. Throws std::system_error when there is no
// descriptor for a socket.
std::optional<IpAddress> default_route_source(Family family);

// The addresses of this machine at one moment.
struct LocalAddresses {
  std::vector<IpAddress> all;           // result of interface_addresses(), sorted and without duplicates
  std::optional<IpAddress> default_v4;  // result of default_route_source()
  std::optional<IpAddress> default_v6;
  std::vector<Prefix> networks{};  // result of interface_networks(), sorted and without duplicates

  const std::optional<IpAddress>& default_source() const { return default_v4 ? default_v4 : default_v6; }

  friend bool operator==(const LocalAddresses&, const LocalAddresses&) = default;
};
// Reads all of the above. Throws std::system_error.
LocalAddresses local_addresses();

// Whether a socket can be bound to this address. Also true when there are no descriptors to find out with.
bool is_local_address(const IpAddress& address);

}  // namespace turnpike::net
