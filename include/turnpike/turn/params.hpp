// What the operator says about relaying: addresses and ports, whom a client may reach, and how much of
// anything one client may hold. This is plain data, which config/ fills.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
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

// Networks of clients; see ClientPolicy.
struct ClientParams {
  std::vector<Prefix> allow;  // empty: everybody may come who is not in `deny`
  std::vector<Prefix> deny;
  std::vector<Prefix> exempt;  // limits per source address do not hold for them

  bool empty() const { return allow.empty() && deny.empty() && exempt.empty(); }
};

// The family of the relayed address that a client gets which names none (RFC 8656 §7.2 says IPv4).
enum class DefaultFamily : std::uint8_t {
  ipv4,
  ipv6,
  client,  // that of the client's own address, where there are relayed addresses of it
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
  Redirect when = Redirect::full;  // full: only where the answer would be that there are no ports or places
};

struct RelayParams {
  // Empty stands for `auto`: the address the client came to, else the source address of the default route.
  std::vector<IpAddress> addresses;
  std::map<IpAddress, IpAddress> advertise;  // local address -> the one that clients see
  // The same without a local address, at most one of each family. It is advertised for the only relayed
  // address of its family.
  std::vector<IpAddress> advertise_for_only;
  std::uint16_t first_port = 49152;
  std::uint16_t last_port = 65535;         // inclusive
  std::uint32_t receive_buffer = 1 << 20;  // bytes, of each relayed socket
  bool tcp = false;                        // RFC 6062
  bool mobility = false;                   // RFC 8016
  DefaultFamily default_family = DefaultFamily::ipv4;
  AlternateParams alternates;
};

// The limits that a client can meet, by their keys in the configuration.
enum class LimitKey : std::uint8_t {
  allocations,
  allocations_per_user,
  allocations_per_address,
  permissions_per_allocation,
  channels_per_allocation,
  peer_connections,
  peer_connections_per_user,
  bytes_per_second,
  bytes_per_second_per_user,
  bytes_per_second_per_allocation,
};
inline constexpr std::array<std::string_view, 10> kLimitKeys = {
    "limits.allocations",
    "limits.allocations_per_user",
    "limits.allocations_per_address",
    "limits.permissions_per_allocation",
    "limits.channels_per_allocation",
    "limits.peer_connections",
    "limits.peer_connections_per_user",
    "limits.bytes_per_second",
    "limits.bytes_per_second_per_user",
    "limits.bytes_per_second_per_allocation",
};

// 0 means no limit, except for allocation_lifetime, which is at least 600 s.
struct Limits {
  std::uint32_t allocations = 0;
  std::uint32_t allocations_per_user = 1000;
  // Whether allocations_per_user holds for names that many clients share as well; see
  // auth::Identity::is_shared. It does where the operator has written the limit.
  bool counts_shared_names = false;
  std::uint32_t allocations_per_address = 0;  // per IPv4 address or IPv6 /64
  std::uint32_t permissions_per_allocation = 256;
  std::uint32_t channels_per_allocation = 256;
  // RFC 6062: TCP connections with peers, each of which is a descriptor.
  std::uint32_t peer_connections = 10'000;
  std::uint32_t peer_connections_per_user = 1000;
  // Octets of payload that are relayed, each way; see Shaper.
  std::uint32_t bytes_per_second = 0;  // of all clients together
  std::uint32_t bytes_per_second_per_user = 0;
  std::uint32_t bytes_per_second_per_allocation = 0;
  // Per IPv4 address or IPv6 /64; the burst is twice as many. See Limiters.
  std::uint32_t unauthenticated_per_second = 100;
  std::uint32_t bindings_per_second = 500;
  std::uint32_t failures_per_second = 10;
  // An allocation ends at this age, however often it is refreshed.
  Duration allocation_age{};
  Duration allocation_lifetime = std::chrono::seconds(3600);

  bool shapes_traffic() const {
    return (bytes_per_second | bytes_per_second_per_user | bytes_per_second_per_allocation) != 0;
  }
};

}  // namespace turnpike::turn
