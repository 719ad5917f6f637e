// Address blocks as an operator writes them, and what kind of address is of no use where.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "turnpike/base/endpoint.hpp"
#include "turnpike/turn/params.hpp"

namespace turnpike::config {

// "10.20.0.0/16", or an address alone for exactly that address. Bits beyond the length are kept: see
// without_host_bits.
std::optional<Prefix> parse_prefix(std::string_view text);

Prefix without_host_bits(const Prefix& prefix);

// Whether every address of `inner` is one of `outer`; both without host bits.
bool contains(const Prefix& outer, const Prefix& inner);

// ::ffff:0:0/96: such an address is an IPv4 address in disguise, and everything here wants it written as
// IPv4.
bool is_v4_mapped(const IpAddress& address);

// An address that one host can have and that can be bound without naming an interface.
bool is_host_address(const IpAddress& address);

}  // namespace turnpike::config
