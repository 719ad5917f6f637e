// How much of the addresses of clients and peers the log shows: the setting log.addresses. An operator who
// may not store whole addresses can have networks shown instead, as 192.0.2.0/24 and 2001:db8:1::/48.
#pragma once

#include <cstdint>
#include <string>

#include "turnpike/base/endpoint.hpp"

namespace turnpike {

enum class ShownAddresses : std::uint8_t { full, prefix };

// Changes the setting for the whole process. Any thread may call it.
void show_addresses(ShownAddresses shown);

// Writes an address as the log shows it: "192.0.2.1:3478", or "192.0.2.0/24".
std::string shown_address(const Endpoint& endpoint);
std::string shown_address(const IpAddress& address);

}  // namespace turnpike
