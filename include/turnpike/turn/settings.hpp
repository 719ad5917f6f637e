// What may change while a server runs: whom it knows, whom clients may reach, and how much of anything they
// may hold.
#pragma once

#include "turnpike/auth/credentials.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/turn/client_policy.hpp"
#include "turnpike/turn/params.hpp"
#include "turnpike/turn/peer_policy.hpp"

namespace turnpike::turn {

// Whatever is pointed to lives until the server has other settings. Only `alternates` and `clients` may be
// null.
struct Settings {
  const auth::CredentialStore* credentials = nullptr;
  const PeerPolicy* policy = nullptr;
  const AlternateParams* alternates = nullptr;  // null: clients are never sent to another server
  Limits limits;
  Duration nonce_lifetime = std::chrono::seconds(600);
  // Nobody new is let in: an Allocate is redirected where there is another server, and refused otherwise.
  bool draining = false;
  const ClientPolicy* clients = nullptr;  // null: everybody may come, and limits per address spare nobody
  DefaultFamily default_family = DefaultFamily::ipv4;
  // An allocation ends with the credentials that it was made with, whatever is refreshed.
  bool strict_expiry = false;

  bool admits(const IpAddress& client) const { return turn::admits(clients, client); }
  bool is_exempt(const IpAddress& client) const { return turn::is_exempt(clients, client); }
};

}  // namespace turnpike::turn
