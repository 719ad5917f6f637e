// Parses the name of a server: a name or an address, each with or without a port, or a URI of RFC 7064 or RFC
// 7065. It resolves nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "stunclient/targets.hpp"
#include "turnpike/base/endpoint.hpp"

namespace turnpike::stunclient {

// The host is returned without brackets. The transport is set when the scheme or ?transport= names one.
// Without a scheme the service is STUN. Throws std::invalid_argument with a sentence for the user.
ServerName parse_server(std::string_view text);

// Parses a number from 1 to 65535.
std::optional<std::uint16_t> parse_port(std::string_view text);

}  // namespace turnpike::stunclient
