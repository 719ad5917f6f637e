// The settings that may change while a server runs: credentials, policies and limits.
#pragma once

#include "turnpike/auth/credentials.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/turn/client_policy.hpp"
#include "turnpike/turn/params.hpp"
#include "turnpike/turn/peer_policy.hpp"

namespace turnpike::turn {

// Everything that the pointers refer to must live until the server gets other settings. Only `alternates` and
// `clients` may be null.
struct Settings {
  const auth::CredentialStore* credentials = nullptr;
  const PeerPolicy* policy = nullptr;
  const AlternateParams* alternates = nullptr;  // null: clients are never redirected to another server
  Limits limits;
  Duration nonce_lifetime = std::chrono::seconds(600);
  // New allocations are not made: an Allocate is redirected to another server if there is one, and refused
  // otherwise.
  bool draining = false;
  const ClientPolicy* clients = nullptr;  // null: every client may come, and none is exempt from limits
  DefaultFamily default_family = DefaultFamily::ipv4;
  // An allocation ends when the credentials expire that made it, even if it is refreshed.
  bool strict_expiry = false;
  // Binding requests of RFC 3489, which have no magic cookie, are answered.
  bool rfc3489 = false;

  bool admits(const IpAddress& client) const { return turn::admits(clients, client); }
  bool is_exempt(const IpAddress& client) const { return turn::is_exempt(clients, client); }
};

}  // namespace turnpike::turn
