// The addresses of this machine.
#pragma once

#include <optional>
#include <vector>

#include "turnpike/base/endpoint.hpp"

namespace turnpike::net {

// Every address of every interface that is up, loopback included. Throws std::system_error.
std::vector<IpAddress> interface_addresses();

// The source address that the kernel would use towards the Internet; nothing without a default route. Sends
// nothing.
std::optional<IpAddress> default_route_source(Family family);

// Whether a socket can be bound to this address here.
bool is_local_address(const IpAddress& address);

}  // namespace turnpike::net
