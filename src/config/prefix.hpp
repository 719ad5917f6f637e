// Parses networks as operators write them, and classifies addresses.
#pragma once

#include <optional>
#include <string_view>

#include "turnpike/base/endpoint.hpp"
#include "turnpike/turn/params.hpp"

namespace turnpike::config {

// Parses "10.20.0.0/16", or a single address, which means exactly that address. Bits beyond the prefix length
// are kept; see without_host_bits.
std::optional<Prefix> parse_prefix(std::string_view text);

Prefix without_host_bits(const Prefix& prefix);

// Whether all addresses of `inner` are in `outer`. Both must be without host bits.
bool contains(const Prefix& outer, const Prefix& inner);

// Whether an address is IPv4-mapped (::ffff:0:0/96). Such an address must be written as IPv4 in the
// configuration.
bool is_v4_mapped(const IpAddress& address);

// Whether a host can have this address and a socket can be bound to it without an interface name.
bool is_host_address(const IpAddress& address);

}  // namespace turnpike::config
