// An allocation as operators see it: a copy of what it was at one moment.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "turnpike/base/endpoint.hpp"

namespace turnpike::turn {

struct AllocationInfo {
  std::uint64_t number = 0;          // of this server; it is never given out again
  std::string username;              // a stranger's text
  bool has_configured_user = false;  // of auth.users; else a TURN REST name or an access token
  FiveTuple tuple;
  std::vector<Endpoint> relayed;  // as they are advertised
  std::uint32_t permissions = 0;
  std::uint32_t channels = 0;
  std::uint32_t connections = 0;  // with peers by TCP (RFC 6062)
  std::chrono::seconds age{};
  std::chrono::seconds expires_in{};
  // Payload: rx came from the client, tx went to the client.
  std::uint64_t rx_packets = 0;
  std::uint64_t rx_bytes = 0;
  std::uint64_t tx_packets = 0;
  std::uint64_t tx_bytes = 0;
  std::uint64_t dropped_packets = 0;  // beyond limits.bytes_per_second and its kin, both ways
};

}  // namespace turnpike::turn
