// The daemon: it makes listeners, shared services and workers from a configuration, and stops them in the
// right order.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <memory>
#include <vector>

#include "config/config.hpp"
#include "daemon/addressing.hpp"
#include "daemon/administration.hpp"
#include "daemon/certificates.hpp"
#include "daemon/clustering.hpp"
#include "daemon/credentials.hpp"
#include "daemon/metrics.hpp"
#include "daemon/open_listeners.hpp"
#include "daemon/orders.hpp"
#include "daemon/own_certificates.hpp"
#include "daemon/program.hpp"
#include "daemon/pulse.hpp"
#include "daemon/reloading.hpp"
#include "daemon/shared_limits.hpp"
#include "daemon/side_threads.hpp"
#include "daemon/stopping.hpp"
#include "daemon/worker_settings.hpp"
#include "daemon/workers.hpp"
#include "turnpike/auth/credentials.hpp"

namespace turnpike::daemon {

class Daemon {
 public:
  // Opens all listeners and logs their addresses. Throws std::exception with a message for the operator when
  // it cannot. `tls` may be null when no listener is tls.
  Daemon(Source source, config::Config config, const auth::CredentialStore& credentials,
         std::unique_ptr<Certificates> tls);
  ~Daemon();

  // Serves until SIGTERM or SIGINT arrives. SIGUSR1 begins a drain, and SIGHUP and SIGUSR2 reload.
  // hold_signals() must have been called before any other thread began. Returns false when something did not
  // end by itself (see StopWatch). Then this object must not be destroyed, since what is left of it still
  // refers to it.
  bool run();

 private:
  // These return what a part refers to. Some of these members are made after the part, so its constructor
  // must not use them.
  Clustering::Parts make_clustering_parts();
  Metrics::Parts make_metrics_parts();
  Stopping::Parts make_stopping_parts();
  relay::Worker::Shared share_with_workers();
  void open_web_forwarder();
  void follow_addresses();
  void follow_certificates();
  // Reads the configuration again. With `dry_run`, or when there is an error, nothing is changed.
  Administration::Reloaded reload(bool dry_run);
  // Puts a configuration into use whose relayed addresses are in use already.
  void use(Reloading::Next next);
  void post_settings();
  void end_work();
  void stop_threads();
  void open_admin(const config::Config& config);
  void use_alternates(std::vector<turn::AlternateServer> servers);

  boost::asio::io_context control_{1};  // the io_context of the main thread; destroyed last
  config::Config config_;               // the present configuration
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  Credentials credentials_;
  SharedLimits limits_;
  Addressing addresses_;
  OpenListeners listeners_;
  WorkerSettings settings_;
  OwnCertificates certificates_;
  SideThreads threads_;
  Workers workers_;
  std::unique_ptr<Administration> admin_;  // null when there is no admin interface
  Stopping stopping_;
  Clustering clustering_;
  Orders orders_;
  Reloading reloading_;
  Metrics metrics_;
  Pulse pulse_;
};

}  // namespace turnpike::daemon
