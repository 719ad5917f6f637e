// What holds for all workers and may change while they run. It is one immutable snapshot: whoever changes
// something makes a new one, and each worker takes it between two passes, as a whole.
#pragma once

#include <memory>

#include "relay/stream_limits.hpp"
#include "turnpike/auth/credentials.hpp"
#include "turnpike/turn/peer_policy.hpp"
#include "turnpike/turn/settings.hpp"

namespace turnpike::relay {

class RelayAddresses;

struct Settings {
  std::shared_ptr<const auth::CredentialStore> credentials;
  std::shared_ptr<const turn::PeerPolicy> policy;
  std::shared_ptr<const RelayAddresses> relay_addresses;
  turn::Limits limits;
  Duration nonce_lifetime{};
  turn::AlternateParams alternates;
  StreamLimits streams;
  bool draining = false;

  // What the core takes of it; it views this, which has to outlive it.
  turn::Settings core() const {
    return {credentials.get(), policy.get(), &alternates, limits, nonce_lifetime, draining};
  }
};

}  // namespace turnpike::relay
