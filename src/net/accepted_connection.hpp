// A client's connection that was accepted by a worker, or by a listener of signaling or admin, and is handed
// to the HTTP server.
#pragma once

#include <cstdint>
#include <vector>

#include "net/tls_context.hpp"
#include "turnpike/base/endpoint.hpp"

namespace turnpike::net {

// The https port to which a client of plain HTTP is redirected. A port that detects protocols serves https
// itself. Browsers expect https at port 443, so a client that came to port 80 is redirected there if 443 is
// served.
enum class ToHttps : std::uint8_t { no, same_port, port_443 };

struct AcceptedConnection {
  IpAddress peer{};
  bool secure = false;
  // The TLS session after its handshake. When it is null and `secure` is true, the HTTP server does the
  // handshake.
  TlsSession tls{};
  std::vector<std::uint8_t> received{};  // decrypted octets that were read from the client already
  bool by_unix_socket = false;           // a unix socket of the admin listener; `peer` has no meaning then
  ToHttps to_https = ToHttps::no;        // of plain HTTP
};

}  // namespace turnpike::net
