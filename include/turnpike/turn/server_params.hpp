// The parameters of a turn::Server. Each part of the server takes what it needs.
#pragma once

#include "turnpike/auth/nonce.hpp"
#include "turnpike/crypto/random.hpp"
#include "turnpike/turn/byte_budget.hpp"
#include "turnpike/turn/limiters.hpp"
#include "turnpike/turn/mobility.hpp"
#include "turnpike/turn/nat_discovery.hpp"
#include "turnpike/turn/peer_connections.hpp"
#include "turnpike/turn/quota.hpp"
#include "turnpike/turn/relay_ports.hpp"
#include "turnpike/turn/settings.hpp"

namespace turnpike::turn {

// All references must outlive the server, except those in `settings`. Quotas and limiters are shared with the
// other workers.
struct ServerParams {
  Settings settings;  // the settings at the start; Server::on_settings replaces them
  RelayPorts& ports;
  Quota& quota;             // for allocations
  Quota& connection_quota;  // for TCP connections with peers (RFC 6062)
  Limiters& limiters;
  crypto::Random& random;
  PeerConnections* connections = nullptr;  // RFC 6062; null: TCP is not relayed
  MobilityParams mobile{};                 // RFC 8016
  auth::Nonces::MasterKey nonce_key{};     // the same on every worker
  NatDiscoveries nat_discoveries{};
  Quota* address_quota = nullptr;         // for allocations, by source address; null: they are not counted
  ByteBudgets* server_budgets = nullptr;  // shared by all workers; null: no limits.bytes_per_second
  // Datagrams from one relayed address of this server to another one do not go through the kernel. Only tests
  // set it to false, to compare the two ways.
  bool short_way = true;
};

}  // namespace turnpike::turn
