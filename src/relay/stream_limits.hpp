// The part of the configuration about clients by TCP, TLS and DTLS. It is plain data, which config/ fills.
#pragma once

#include <cstdint>

#include "turnpike/base/time.hpp"

namespace turnpike::relay {

struct StreamLimits {
  std::uint32_t idle = 10'000;                          // connections without an allocation; 0 = no limit
  std::uint32_t idle_per_address = 200;                 // those of one source address; 0 = no limit
  Duration connect_timeout = std::chrono::seconds(10);  // of the handshake, and then of the first message
  Duration idle_timeout = std::chrono::seconds(60);     // without an allocation
  // Connections that are passed on to a web server.
  std::uint32_t web = 1000;             // 0 = no limit
  std::uint32_t web_per_address = 200;  // those of one source address; 0 = no limit
  // A connection is closed when no side has accepted an octet for this long.
  Duration web_idle_timeout = std::chrono::minutes(10);
};

}  // namespace turnpike::relay
