#include "daemon/worker_settings.hpp"

namespace turnpike::daemon {
namespace {

std::shared_ptr<const turn::ClientPolicy> make_client_policy(const turn::ClientParams& params) {
  return params.empty() ? nullptr : std::make_shared<const turn::ClientPolicy>(params);
}

}  // namespace

WorkerSettings::WorkerSettings(Parts parts)
    : parts_(std::move(parts)), client_policy_(make_client_policy(parts_.config.clients)) {}

void WorkerSettings::update_peer_policy() {
  const net::LocalAddresses& now = parts_.addresses;
  peer_policy_ = std::make_shared<const turn::PeerPolicy>(
      turn::PeerPolicy({parts_.config.peers, now.all, parts_.listeners.udp(), parts_.listeners.tcp(),
                        parts_.relays.addresses()->advertised(), now.networks}));
}

void WorkerSettings::update_client_policy() { client_policy_ = make_client_policy(parts_.config.clients); }

std::shared_ptr<const relay::Settings> WorkerSettings::make() const {
  return std::make_shared<const relay::Settings>(fill(parts_.config));
}

std::shared_ptr<const relay::Settings> WorkerSettings::make_for(const config::Config& config,
                                                                Credentials::Snapshot credentials) const {
  relay::Settings settings = fill(config);
  settings.credentials = std::move(credentials);
  settings.clients = make_client_policy(config.clients);
  return std::make_shared<const relay::Settings>(std::move(settings));
}

relay::Settings WorkerSettings::fill(const config::Config& config) const {
  return {.credentials = parts_.credentials.now(),
          .policy = peer_policy_,
          .clients = client_policy_,
          .relay_addresses = parts_.relays.addresses(),
          .alternates = config.relay.alternates,
          .streams = config.streams,
          .batching_delay = config.batching_delay,
          .values = {.limits = config.limits,
                     .nonce_lifetime = config.auth.nonce_lifetime,
                     .draining = parts_.is_draining(),
                     .default_family = config.relay.default_family,
                     .strict_expiry = config.auth.strict_expiry,
                     .rfc3489 = config.stun.rfc3489}};
}

}  // namespace turnpike::daemon
