// A copy of an allocation's state at one moment, for operators.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "turnpike/base/endpoint.hpp"

namespace turnpike::turn {

struct AllocationInfo {
  std::uint64_t number = 0;  // on this server; a number is never used again
  std::string username;      // text from a stranger: escape it before printing
  FiveTuple tuple;
  std::vector<Endpoint> relayed;  // the advertised addresses
  std::uint32_t permissions = 0;
  std::uint32_t channels = 0;
  std::uint32_t connections = 0;  // TCP connections with peers (RFC 6062)
  std::chrono::seconds age{};
  std::chrono::seconds expires_in{};
  // Payload. rx is received from the client, tx is sent to the client.
  std::uint64_t rx_packets = 0;
  std::uint64_t rx_bytes = 0;
  std::uint64_t tx_packets = 0;
  std::uint64_t tx_bytes = 0;
  std::uint64_t dropped_packets = 0;  // dropped in both directions by the limits on bytes per second
};

}  // namespace turnpike::turn
