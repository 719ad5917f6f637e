// The parameters of a turn::Server. Each part of the server takes what it needs.
#pragma once

#include "turnpike/auth/credentials.hpp"
#include "turnpike/auth/nonce.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/crypto/random.hpp"
#include "turnpike/turn/byte_budget.hpp"
#include "turnpike/turn/client_policy.hpp"
#include "turnpike/turn/limiters.hpp"
#include "turnpike/turn/mobility.hpp"
#include "turnpike/turn/nat_discovery.hpp"
#include "turnpike/turn/params.hpp"
#include "turnpike/turn/peer_connections.hpp"
#include "turnpike/turn/peer_policy.hpp"
#include "turnpike/turn/quota.hpp"
#include "turnpike/turn/relay_ports.hpp"

namespace turnpike::turn {

// All references must outlive the server, except those that Settings has too: they must live until
// Server::on_settings replaces them. Quotas and limiters are shared with the other workers.
struct ServerParams {
  const auth::CredentialStore& credentials;
  const PeerPolicy& policy;
  RelayPorts& ports;
  Quota& quota;             // for allocations
  Quota& connection_quota;  // for TCP connections with peers (RFC 6062)
  Limiters& limiters;
  crypto::Random& random;
  PeerConnections* connections = nullptr;  // RFC 6062; null: TCP is not relayed
  MobilityParams mobile{};                 // RFC 8016
  Limits limits;
  auth::Nonces::MasterKey nonce_key{};  // the same on every worker
  Duration nonce_lifetime = std::chrono::seconds(600);
  NatDiscoveries nat_discoveries{};
  const AlternateParams* alternates = nullptr;  // null: clients are never redirected to another server
  bool draining = false;                        // see Settings
  const ClientPolicy* clients = nullptr;        // see Settings
  DefaultFamily default_family = DefaultFamily::ipv4;
  bool strict_expiry = false;             // see Settings
  Quota* address_quota = nullptr;         // for allocations, by source address; null: they are not counted
  ByteBudgets* server_budgets = nullptr;  // shared by all workers; null: no limits.bytes_per_second
  // Datagrams from one relayed address of this server to another one do not go through the kernel. Only tests
  // set it to false, to compare the two ways.
  bool short_way = true;
};

}  // namespace turnpike::turn
