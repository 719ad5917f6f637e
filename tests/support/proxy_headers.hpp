// Headers of the PROXY protocol version 2, as load balancers write them in front of datagrams.
#pragma once

#include <string>

#include "turnpike/base/bytes.hpp"
#include "turnpike/base/endpoint.hpp"

namespace turnpike::test {

// A header with this command (and version), this family (and protocol) and this content.
inline std::string proxy_header(int command, int family, const std::string& content) {
  std::string header("\r\n\r\n\0\r\nQUIT\n", 12);
  for (const std::size_t octet : {static_cast<std::size_t>(command), static_cast<std::size_t>(family),
                                  content.size() >> 8, content.size()}) {
    header += static_cast<char>(octet);
  }
  return header + content;
}

// The header for a datagram of this client. `more` are optional fields after the addresses; by default there
// is an unknown one.
inline std::string proxy_header(const Endpoint& client, const std::string& more = {"\xE0\0\1x", 4}) {
  const std::string address(as_text(client.address.bytes()));
  const std::string port{static_cast<char>(client.port >> 8), static_cast<char>(client.port)};
  const std::string server(address.size(), '\1');
  return proxy_header(0x21, client.address.is_v4() ? 0x12 : 0x22,
                      address + server + port + "\x0D\x96" + more);
}

// The header of a health check by the balancer itself.
inline std::string local_proxy_header() { return proxy_header(0x20, 0, ""); }

}  // namespace turnpike::test
