// The settings of all workers that may change while they run. A snapshot is immutable. A change makes a new
// snapshot, which each worker adopts as a whole between two passes.
#pragma once

#include <chrono>
#include <memory>

#include "relay/stream_limits.hpp"
#include "turnpike/auth/credentials.hpp"
#include "turnpike/turn/client_policy.hpp"
#include "turnpike/turn/peer_policy.hpp"
#include "turnpike/turn/settings.hpp"

namespace turnpike::relay {

class RelayAddresses;

struct Settings {
  std::shared_ptr<const auth::CredentialStore> credentials;
  std::shared_ptr<const turn::PeerPolicy> policy;
  std::shared_ptr<const turn::ClientPolicy> clients;  // null: see turn::Settings
  std::shared_ptr<const RelayAddresses> relay_addresses;
  turn::Limits limits;
  Duration nonce_lifetime{};
  turn::AlternateParams alternates;
  StreamLimits streams;
  bool draining = false;
  turn::DefaultFamily default_family = turn::DefaultFamily::ipv4;
  bool strict_expiry = false;
  std::chrono::microseconds batching_delay{};  // see BatchPacer

  // The part for turn::Server. It refers to this object, which must outlive it.
  turn::Settings core() const {
    return {.credentials = credentials.get(),
            .policy = policy.get(),
            .alternates = &alternates,
            .limits = limits,
            .nonce_lifetime = nonce_lifetime,
            .draining = draining,
            .clients = clients.get(),
            .default_family = default_family,
            .strict_expiry = strict_expiry};
  }
};

}  // namespace turnpike::relay
