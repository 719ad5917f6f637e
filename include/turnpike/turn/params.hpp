// The part of the configuration about relaying: addresses and ports, allowed peers, and the limits for
// clients. It is plain data, which config/ fills.
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

// The protocol between the relayed transport address and its peers.
enum class RelayedTransport : std::uint8_t { udp, tcp };

struct PeerParams {
  std::vector<Prefix> allow;
  std::vector<Prefix> deny;
};

// Lists of client networks; see ClientPolicy.
struct ClientParams {
  std::vector<Prefix> allow;  // empty: every client that is not in `deny` may come
  std::vector<Prefix> deny;
  std::vector<Prefix> exempt;  // exempt from the limits per source address

  bool empty() const { return allow.empty() && deny.empty() && exempt.empty(); }
};

// The family of the relayed address for a client that asks for none (RFC 8656 §7.2 says IPv4).
enum class DefaultFamily : std::uint8_t {
  ipv4,
  ipv6,
  client,  // the family of the client's address, if there are relayed addresses of it
};

// Another server that clients can be redirected to (RFC 8489 §10). A client is sent only to a server with its
// own transport and family.
struct AlternateServer {
  Transport transport = Transport::udp;
  Endpoint endpoint;
  std::string domain;  // the name in the server's certificate; may be empty

  friend bool operator==(const AlternateServer&, const AlternateServer&) = default;
};

enum class Redirect : std::uint8_t { full, always };

struct AlternateParams {
  std::vector<AlternateServer> servers;
  Redirect when = Redirect::full;  // full: only when there is no free port or no place in the quota
  bool from_cluster = false;       // `servers` are the other nodes of the cluster that take new clients
};

struct RelayParams {
  // Empty means `auto`: the address that the client came to, or else the source address of the default route.
  std::vector<IpAddress> addresses;
  std::map<IpAddress, IpAddress> advertise;  // local address -> the address that clients see
  // Advertised addresses without a local address, one at most for each family. Each is used for the only
  // relayed address of its family.
  std::vector<IpAddress> advertise_for_only;
  std::uint16_t first_port = 49152;
  std::uint16_t last_port = 65535;         // inclusive
  std::uint32_t receive_buffer = 1 << 20;  // bytes, for each relayed socket
  bool tcp = false;                        // RFC 6062
  bool mobility = false;                   // RFC 8016
  DefaultFamily default_family = DefaultFamily::ipv4;
  AlternateParams alternates;
};

// The limits that a client can reach, by their keys in the configuration.
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
  // Whether allocations_per_user also holds for names that many clients share; see auth::Identity::is_shared.
  // It does when the configuration sets the limit explicitly.
  bool counts_shared_names = false;
  std::uint32_t allocations_per_address = 0;  // per IPv4 address or IPv6 /64
  std::uint32_t permissions_per_allocation = 256;
  std::uint32_t channels_per_allocation = 256;
  // TCP connections with peers (RFC 6062), each of which needs a descriptor.
  std::uint32_t peer_connections = 10'000;
  std::uint32_t peer_connections_per_user = 1000;
  // Octets of relayed payload, for each direction; see Shaper.
  std::uint32_t bytes_per_second = 0;  // for all clients together
  std::uint32_t bytes_per_second_per_user = 0;
  std::uint32_t bytes_per_second_per_allocation = 0;
  // Per IPv4 address or IPv6 /64. The burst is two seconds' worth. See Limiters.
  std::uint32_t unauthenticated_per_second = 100;
  std::uint32_t bindings_per_second = 500;
  std::uint32_t failures_per_second = 10;
  // An allocation ends at this age, even if its client refreshes it.
  Duration allocation_age{};
  Duration allocation_lifetime = std::chrono::seconds(3600);

  bool shapes_traffic() const {
    return (bytes_per_second | bytes_per_second_per_user | bytes_per_second_per_allocation) != 0;
  }
};

}  // namespace turnpike::turn
