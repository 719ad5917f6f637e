// What the operator says about clients that come by TCP, TLS or DTLS. Plain data, filled by config/.
#pragma once

#include <cstdint>

#include "turnpike/base/time.hpp"

namespace turnpike::relay {

struct StreamLimits {
  std::uint32_t idle = 10'000;                          // connections without an allocation; 0 = no limit
  std::uint32_t idle_per_address = 200;                 // of each source address, likewise
  Duration connect_timeout = std::chrono::seconds(10);  // of the handshake, and then of the first message
  Duration idle_timeout = std::chrono::seconds(60);     // without an allocation
};

}  // namespace turnpike::relay
