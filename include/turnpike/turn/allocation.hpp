// An allocation and what belongs to it: relayed addresses, peers and their lifetimes (RFC 8656 §3.2). This is
// plain state; the parts of the server decide what happens to it.
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

// Allocations keeps it ordered by `deadline`, which nobody else changes.
struct Allocation : boost::intrusive::set_base_hook<boost::intrusive::optimize_size<true>> {
  FiveTuple tuple;
  auth::Identity identity;
  QuotaSlot quota;
  QuotaSlot address_quota;  // of limits.allocations_per_address
  RelayedTransport transport = RelayedTransport::udp;
  boost::container::small_vector<Relay, 1> relays;  // at most two, and then IPv4 first
  PeerTable peers;
  std::shared_ptr<ByteBudgets> budgets;       // see share_budgets()
  std::unique_ptr<Mobility> mobility;         // null for a client that stays where it is
  std::vector<ConnectionId> connections;      // with peers, by TCP; kept by TcpConnections
  SteadyTime expiry;                          // never after `latest_end`
  SteadyTime latest_end = SteadyTime::max();  // of limits.allocation_age and auth.strict_expiry
  SteadyTime deadline;                        // never after the next thing that expires

  // For operators: its number on this server, when it was made, and what was relayed for it.
  std::uint64_t number = 0;
  Family first_family = Family::ipv4;  // of the first relayed address, when it was made
  SteadyTime created;
  // The expiry of the credentials that it was made with, if they have one.
  std::optional<WallTime> made_until;
  std::uint64_t rx_packets = 0;  // from the client
  std::uint64_t rx_bytes = 0;
  std::uint64_t tx_packets = 0;  // to the client
  std::uint64_t tx_bytes = 0;
  std::uint64_t dropped_packets = 0;  // beyond limits.bytes_per_second and its kin, both ways

  // A retransmitted Allocate is answered with these again (RFC 8656 §7.2).
  stun::TransactionId transaction_id{};
  std::chrono::seconds granted_lifetime{};
  std::optional<stun::ReservationToken> reservation;
  std::optional<std::pair<Family, stun::ErrorCode>> missing_family;

  // Null when there is no relayed address of this family.
  const Relay* relay_for(Family family) const;
  // Of limits.bytes_per_second_per_allocation. Most servers have no such limit, so they are made when they
  // are needed.
  const std::shared_ptr<ByteBudgets>& share_budgets();
  // At most `latest_end`.
  void set_expiry(SteadyTime at) { expiry = std::min(at, latest_end); }
};

}  // namespace turnpike::turn
