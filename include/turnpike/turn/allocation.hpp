// An allocation with its relayed addresses, peers and lifetimes (RFC 8656 §3.2). It is plain state; the parts
// of the server change it.
#pragma once

#include <algorithm>
#include <boost/container/small_vector.hpp>
#include <boost/intrusive/set_hook.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "turnpike/auth/long_term.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/stun/attributes.hpp"
#include "turnpike/turn/byte_budget.hpp"
#include "turnpike/turn/mobility.hpp"
#include "turnpike/turn/peer_connections.hpp"
#include "turnpike/turn/peer_table.hpp"
#include "turnpike/turn/quota.hpp"
#include "turnpike/turn/relay_ports.hpp"

namespace turnpike::turn {

inline constexpr std::chrono::seconds kDefaultLifetime{600};  // RFC 8656 §3.2

// Allocations keeps these in a set ordered by `deadline`, so only Allocations may change `deadline`.
struct Allocation : boost::intrusive::set_base_hook<boost::intrusive::optimize_size<true>> {
  FiveTuple tuple;
  auth::Identity identity;
  QuotaSlot quota;
  QuotaSlot address_quota;                          // in limits.allocations_per_address
  boost::container::small_vector<Relay, 1> relays;  // one or two; of two, the IPv4 one comes first
  PeerTable peers;
  std::shared_ptr<AllocationBudgets> budgets;  // see share_budgets()
  std::unique_ptr<Mobility> mobility;          // null when the client may not move (RFC 8016)
  std::vector<ConnectionId> connections;      // TCP connections with peers; TcpConnections maintains the list
  SteadyTime expiry;                          // never after `latest_end`
  SteadyTime latest_end = SteadyTime::max();  // by limits.allocation_age and auth.strict_expiry
  SteadyTime deadline;                        // at or before the next expiry of anything in this allocation

  // For operators: the number on this server, the start, and the amount of relayed data.
  std::uint64_t number = 0;
  SteadyTime created;
  // The expiry of the credentials that the Allocate request used, if they have one.
  std::optional<WallTime> credentials_expiry;
  std::uint64_t rx_packets = 0;  // from the client; bytes are without those of data connections, see bytes()
  std::uint64_t rx_bytes = 0;
  std::uint64_t tx_packets = 0;  // to the client
  std::uint64_t tx_bytes = 0;
  std::uint64_t dropped_packets = 0;  // dropped in both directions by the limits on bytes per second

  // The answer to a retransmitted Allocate repeats these values (RFC 8656 §7.2).
  stun::TransactionId transaction_id{};
  std::chrono::seconds granted_lifetime{};
  std::optional<stun::ReservationToken> reservation;
  std::optional<std::pair<Family, stun::ErrorCode>> missing_family;

  RelayedTransport transport = RelayedTransport::udp;
  // Whether the client must find DATA in each Data indication, also in one that tells of an ICMP error.
  bool needs_data = false;
  Family first_family = Family::ipv4;  // of the first relayed address at the start

  // Null when the allocation has no relayed address of this family.
  const Relay* relay_for(Family family) const;
  // The budgets for limits.bytes_per_second_per_allocation. They are made at the first call, since most
  // servers have no such limit.
  const std::shared_ptr<AllocationBudgets>& share_budgets();
  // All payload in this direction, in octets: of datagrams and of data connections (RFC 6062).
  std::uint64_t bytes(Direction direction) const;
  // Sets `expiry`, but never later than `latest_end`. Clients are told whole seconds, rounded down; what is
  // less than a second before `latest_end` lasts until then.
  void set_expiry(SteadyTime at) { expiry = latest_end - at < std::chrono::seconds(1) ? latest_end : at; }
};

}  // namespace turnpike::turn
