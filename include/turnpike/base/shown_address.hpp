// How much of the addresses of clients and peers the log shows: log.addresses. An operator who may not keep
// whole addresses has their networks shown instead, 192.0.2.0/24 and 2001:db8:1::/48.
#pragma once

#include <cstdint>
#include <string>

#include "turnpike/base/endpoint.hpp"

namespace turnpike {

enum class ShownAddresses : std::uint8_t { full, prefix };

// From now on, for the whole process. From any thread.
void show_addresses(ShownAddresses shown);

// As the log has it: "192.0.2.1:3478", or "192.0.2.0/24".
std::string shown_address(const Endpoint& endpoint);
std::string shown_address(const IpAddress& address);

}  // namespace turnpike
