// What a person types to name a server: a name, an address, either with a port, or a URI of RFC 7064 or
// RFC 7065. Pure text; nothing is resolved here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "stunclient/targets.hpp"
#include "turnpike/base/endpoint.hpp"

namespace turnpike::stunclient {

// The host comes without brackets, the transport where the scheme or ?transport= says so; without a scheme
// the service is STUN. Throws std::invalid_argument with a sentence for the user.
ServerName parse_server(std::string_view text);

// 1 to 65535.
std::optional<std::uint16_t> parse_port(std::string_view text);

}  // namespace turnpike::stunclient
