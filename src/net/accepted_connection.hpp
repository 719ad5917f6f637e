// A connection that a worker or one of signaling's listeners has accepted, on its way to the HTTP server.
#pragma once

#include <cstdint>
#include <vector>

#include "net/tls_context.hpp"
#include "turnpike/base/endpoint.hpp"

namespace turnpike::net {

struct AcceptedConnection {
  IpAddress peer{};
  bool secure = false;
  // The session of a finished handshake. Where it is null and the connection is secure, the handshake is
  // still to be done.
  TlsSession tls{};
  std::vector<std::uint8_t> received{};  // what was read from the client already, decrypted
  bool by_unix_socket = false;           // of the admin listener; then `peer` says nothing
  bool to_https = false;                 // plain HTTP, which is redirected to https
};

}  // namespace turnpike::net
