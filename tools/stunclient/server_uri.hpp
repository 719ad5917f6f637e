// What a person types to name a server: a name, an address, either with a port, or a URI of RFC 7064 or
// RFC 7065. Pure text; nothing is resolved here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "turnpike/base/endpoint.hpp"

namespace turnpike::stunclient {

struct ServerUri {
  std::string host;  // without brackets
  std::optional<std::uint16_t> port;
  std::optional<Transport> transport;  // where the scheme or ?transport= says so
};

// Throws std::invalid_argument with a sentence for the user.
ServerUri parse_server(std::string_view text);

// 1 to 65535.
std::optional<std::uint16_t> parse_port(std::string_view text);

}  // namespace turnpike::stunclient
