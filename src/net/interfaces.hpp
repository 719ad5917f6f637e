// The addresses of this machine.
#pragma once

#include <optional>
#include <vector>

#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/prefix.hpp"

namespace turnpike::net {

// Every address of every interface that is up, loopback included. Throws std::system_error.
std::vector<IpAddress> interface_addresses();

// The blocks that the IPv6 addresses among them lie in, by the prefix length of each address. Routes say
// nothing here: a default route leads everywhere. Throws std::system_error.
std::vector<Prefix> interface_networks();

// The source address that the kernel would use towards the Internet; nothing without a default route. Sends
// nothing. Throws std::system_error when there is no descriptor to ask with.
std::optional<IpAddress> default_route_source(Family family);

// What this machine's addresses are at one time.
struct LocalAddresses {
  std::vector<IpAddress> all;           // as interface_addresses() has them, in order and each once
  std::optional<IpAddress> default_v4;  // as default_route_source() has them
  std::optional<IpAddress> default_v6;
  std::vector<Prefix> networks{};  // as interface_networks() has them, in order and each once

  const std::optional<IpAddress>& default_source() const { return default_v4 ? default_v4 : default_v6; }

  friend bool operator==(const LocalAddresses&, const LocalAddresses&) = default;
};
// Throws std::system_error.
LocalAddresses local_addresses();

// Whether a socket can be bound to this address here.
bool is_local_address(const IpAddress& address);

}  // namespace turnpike::net
