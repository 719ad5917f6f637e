// A connection as it comes to the HTTP server, from one of its own listeners or from somebody who has found
// out that it speaks HTTP.
#pragma once

#include <cstdint>
#include <vector>

#include "net/tls_context.hpp"
#include "turnpike/base/endpoint.hpp"

namespace turnpike::http {

struct Arrival {
  IpAddress peer;
  bool secure = false;
  net::TlsSession tls{};                 // that has shaken hands; where it is null, that is still to be done
  std::vector<std::uint8_t> received{};  // what the client has said already, in plain text
  bool to_https = false;                 // is plain, and shall come back by https
};

}  // namespace turnpike::http
