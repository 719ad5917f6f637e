// The daemon put together: from a configuration to listeners, shared services and workers, and back down in
// order.
#pragma once

#include <memory>
#include <vector>

#include "config/config.hpp"
#include "server/relay_sockets.hpp"
#include "server/signaling_thread.hpp"
#include "server/worker.hpp"
#include "turnpike/auth/credentials.hpp"
#include "turnpike/base/address_limiter.hpp"
#include "turnpike/turn/peer_policy.hpp"
#include "turnpike/turn/quota.hpp"

namespace turnpike::server {

// Throws std::invalid_argument with a message for the operator; see CredentialStore.
auth::CredentialStore make_credentials(const auth::Params& params);

// Signaling makes relay credentials out of the first secret; one is made up for this run when none is
// configured.
void add_missing_secret(config::Config& config);

// The certificate and key for all TLS, or null where none are configured. Throws std::runtime_error, naming
// the file.
std::unique_ptr<const net::TlsContext> make_tls_context(const config::Config& config);

class Daemon {
 public:
  // Opens every listener and says where; throws std::exception with a message for the operator when it
  // cannot. `tls` may be null where no listener is tls.
  Daemon(const config::Config& config, auth::CredentialStore credentials,
         std::unique_ptr<const net::TlsContext> tls);

  // Serves until SIGTERM or SIGINT arrives, which this thread must not have blocked.
  void run();

 private:
  void open_listeners(const config::Config& config);
  void open_listener(const config::Listener& listener);
  Endpoint open_udp(Endpoint at);
  Endpoint open_streams(const config::Listener& listener);
  void warn_about_relay_addresses() const;
  void log_totals() const;

  std::vector<IpAddress> own_addresses_;
  std::vector<WorkerListeners> sockets_;  // for each worker, until it takes them
  std::vector<Endpoint> udp_listeners_;
  std::vector<signaling::IceParams::Listener> told_;  // what clients are told of them
  auth::CredentialStore credentials_;
  RelayPool relays_;
  turn::Quota quota_;
  AddressLimiter limiter_;
  std::unique_ptr<const net::TlsContext> tls_;
  IdleConnections idle_connections_;
  std::unique_ptr<turn::PeerPolicy> policy_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<SignalingThread> signaling_;  // null where there is none
};

}  // namespace turnpike::server
