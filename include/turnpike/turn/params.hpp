// What the operator says about relaying: addresses and ports, whom a client may reach, and how much of
// anything one client may hold. Plain data, filled by config/.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/prefix.hpp"
#include "turnpike/base/time.hpp"

namespace turnpike::turn {

// Between a relayed transport address and its peers.
enum class RelayedTransport : std::uint8_t { udp, tcp };

struct PeerParams {
  std::vector<Prefix> allow;
  std::vector<Prefix> deny;
};

// Another server that clients can be sent to (RFC 8489 §10). A client keeps its transport and its family.
struct AlternateServer {
  Transport transport = Transport::udp;
  Endpoint endpoint;
  std::string domain;  // the name in its certificate; may be empty
};

enum class Redirect : std::uint8_t { full, always };

struct AlternateParams {
  std::vector<AlternateServer> servers;
  Redirect when = Redirect::full;  // full: instead of an error for want of ports or places
};

struct RelayParams {
  // Empty stands for `auto`: the address the client came to, else the source address of the default route.
  std::vector<IpAddress> addresses;
  std::map<IpAddress, IpAddress> advertise;  // local -> what clients are told
  std::uint16_t first_port = 49152;
  std::uint16_t last_port = 65535;  // inclusive
  bool tcp = false;                 // RFC 6062
  bool mobility = false;            // RFC 8016
  AlternateParams alternates;
};

// 0 means no limit, except for allocation_lifetime, which is at least 600 s.
struct Limits {
  std::uint32_t allocations = 0;
  std::uint32_t allocations_per_user = 0;
  std::uint32_t permissions_per_allocation = 0;
  std::uint32_t channels_per_allocation = 0;
  std::uint32_t unauthenticated_per_second = 100;  // per IPv4 address or IPv6 /64; burst is twice that
  Duration allocation_lifetime = std::chrono::seconds(3600);
};

}  // namespace turnpike::turn
