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
  turn::AlternateParams alternates;
  StreamLimits streams;
  std::chrono::microseconds batching_delay{};  // see BatchPacer
  turn::Settings values;                       // without its pointers; core() adds them

  // The part for turn::Server. It refers to this object, which must outlive it.
  turn::Settings core() const {
    turn::Settings core = values;
    core.credentials = credentials.get();
    core.policy = policy.get();
    core.alternates = &alternates;
    core.clients = clients.get();
    return core;
  }
};

}  // namespace turnpike::relay
