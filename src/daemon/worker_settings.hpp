// Makes the settings of the workers from the configuration and from what else they depend on. It owns the
// policies, which are computed from several of these and shared by the settings.
#pragma once

#include <functional>
#include <memory>

#include "config/config.hpp"
#include "daemon/credentials.hpp"
#include "daemon/open_listeners.hpp"
#include "net/interfaces.hpp"
#include "relay/relay_sockets.hpp"
#include "relay/settings.hpp"
#include "turnpike/turn/peer_policy.hpp"

namespace turnpike::daemon {

class WorkerSettings {
 public:
  // All references must outlive this object.
  struct Parts {
    const config::Config& config;          // the present one
    const net::LocalAddresses& addresses;  // the present ones
    const OpenListeners& listeners;
    const relay::RelayPool& relays;
    const Credentials& credentials;
    std::function<bool()> is_draining;
  };

  explicit WorkerSettings(Parts parts);

  // Computes the policy for peers again, since one of the parts has changed. It has to be called once when
  // all listeners are open.
  void update_peer_policy();
  // Computes the policy for clients again, since the configuration has changed.
  void update_client_policy();
  const turn::PeerPolicy& peer_policy() const { return *peer_policy_; }

  // Makes a snapshot of the present settings.
  std::shared_ptr<const relay::Settings> make() const;
  // Returns what they would be with this configuration and these credentials, on the present listeners.
  std::shared_ptr<const relay::Settings> make_for(const config::Config& config,
                                                  Credentials::Snapshot credentials) const;

 private:
  relay::Settings fill(const config::Config& config) const;

  const Parts parts_;
  std::shared_ptr<const turn::PeerPolicy> peer_policy_;
  std::shared_ptr<const turn::ClientPolicy> client_policy_;  // null when the configuration has none
};

}  // namespace turnpike::daemon
