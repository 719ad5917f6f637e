#include "daemon/daemon.hpp"

#include <signal.h>
#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <algorithm>
#include <exception>
#include <string>

#include "cluster/seal.hpp"
#include "daemon/cores.hpp"
#include "daemon/log.hpp"
#include "daemon/notify.hpp"
#include "daemon/run_loop.hpp"
#include "net/descriptor_reserve.hpp"
#include "net/interfaces.hpp"
#include "net/system_random.hpp"

namespace turnpike::daemon {
namespace {

// In a cluster, the key comes from the secret, so that a nonce of one node is valid on the others.
auth::Nonces::MasterKey nonce_key(const cluster::Params& cluster) {
  if (cluster.is_enabled()) return cluster::derive_key(cluster.secrets.front(), "turnpike nonces");
  auth::Nonces::MasterKey key;
  net::SystemRandom().fill(key);
  return key;
}

unsigned worker_count(const config::Config& config) {
  return config.workers == 0 ? usable_cores() : config.workers;
}

// Every allocation needs a descriptor. The soft limit of 1,024 exists only for programs that use select().
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// Enough for turnpikectl, a scrape and a reload at the same time.
constexpr unsigned kKeptForOperators = 16;

// For a moment, each worker may have a descriptor of the reserve, until it refuses a stranger.
void reserve_descriptors_for_operators(unsigned workers) {
  if (net::reserve_descriptors(kKeptForOperators + workers)) return;
  spdlog::warn(
      "so few descriptors are allowed that none are kept for the admin listener and reloads: raise "
      "LimitNOFILE of the service");
}

// While it lives, new threads start with every signal blocked, so that signals come to the main thread.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace

Daemon::Daemon(Source source, config::Config config, const auth::CredentialStore& credentials,
               std::unique_ptr<Certificates> tls)
    : config_(std::move(config)),
      credentials_(control_, credentials),
      limits_(config_),
      addresses_(config_),
      listeners_(worker_count(config_), addresses_.first().all, tls != nullptr),
      settings_(WorkerSettings::Parts{config_, addresses_.now(), listeners_, addresses_.relays(),
                                      credentials_, [this] { return stopping_.is_draining(); }}),
      certificates_(std::move(tls)),
      stopping_(make_stopping_parts()),
      clustering_(make_clustering_parts()),
      orders_(Orders::Parts{control_, config_, credentials_, clustering_, threads_, workers_,
                            [this] { post_settings(); }}),
      reloading_(std::move(source), Reloading::Parts{config_, credentials_, certificates_.get(),
                                                     addresses_.relays(), addresses_.now()}),
      metrics_(make_metrics_parts()),
      pulse_(Pulse::Parts{control_, workers_, threads_, limits_, started_,
                          [this] { return stopping_.is_draining(); }}) {
  raise_descriptor_limit();
  reserve_descriptors_for_operators(worker_count(config_));
  for (const std::string& warning : config_.warnings) spdlog::warn(warning);
  listeners_.open_all(config_);
  if (config_.signaling.enabled) {
    threads_.open_signaling({.config = config_,
                             .relay = listeners_.announced(),
                             .tls = certificates_.get(),
                             .advertised = addresses_.advertised(),
                             .default_address = addresses_.first().default_source(),
                             .handshakes = limits_.limiters.handshakes});
    listeners_.add_others(threads_.signaling()->endpoints());
  }
  orders_.revoking().apply_recalled(config::recall_revocations(config_));
  if (config_.admin.is_enabled()) open_admin(config_);
  open_web_forwarder();
  addresses_.warnings().warn_about_alternates(config_.nat_discovery.alternates);
  settings_.update_peer_policy();
  relay::Worker::Shared shared = share_with_workers();
  threads_.set_hand_overs(shared.clients.streams);
  workers_.make(shared, listeners_.take_sockets());
  credentials_.warn_about_algorithms();
  if (credentials_.are_empty()) {
    spdlog::info(
        "auth has no users, secrets or third_party: this server answers STUN only and relays nothing");
  } else {
    addresses_.warnings().warn_about_relay_addresses();
    addresses_.warnings().warn_about_receive_buffer();
    addresses_.warnings().warn_about_absent_addresses();
    addresses_.warnings().name_closed_networks(settings_.peer_policy());
  }
}

Clustering::Parts Daemon::make_clustering_parts() {
  return {
      .io = control_,
      .config = config_,
      .addresses = addresses_.now(),
      .listeners = listeners_,
      .relays = addresses_.relays(),
      .quota = limits_.allocations,
      .address_quota = limits_.addresses,
      .threads = threads_,
      .started = started_,
      .state =
          [this] {
            return Clustering::State{stopping_.is_ready(), stopping_.is_draining(),
                                     workers_.relayed_octets()};
          },
      .use_alternates =
          [this](std::vector<turn::AlternateServer> servers) { use_alternates(std::move(servers)); },
      .carry_out = [this](const cluster::Order& order) { return orders_.carry_out(order); },
      .revoked =
          [this](const std::vector<auth::Revocation>& list) {
            orders_.revoking().apply_those_of_others(list);
          },
      .list_revoked = [this] { return credentials_.list_revoked(); },
  };
}

Metrics::Parts Daemon::make_metrics_parts() {
  return {
      .config = config_,
      .limits = limits_,
      .relays = addresses_.relays(),
      .listeners = listeners_,
      .workers = workers_,
      .tls = certificates_.get(),
      .threads = threads_,
      .admin = admin_,
      .clustering = clustering_,
      .counters = reloading_.counters(),
      .started = started_,
      .readiness =
          [this] {
            return Metrics::Readiness{stopping_.is_ready(), stopping_.is_draining()};
          },
  };
}

Stopping::Parts Daemon::make_stopping_parts() {
  return {
      .io = control_,
      .config = config_,
      .allocations = limits_.allocations,
      .admin = admin_,
      .threads = threads_,
      .clustering = clustering_,
      .post_settings = [this] { post_settings(); },
      .end_work = [this] { end_work(); },
  };
}

relay::Worker::Shared Daemon::share_with_workers() {
  return {
      .settings = settings_.make(),
      .relays = addresses_.relays(),
      .quota = limits_.allocations,
      .connection_quota = limits_.peer_connections,
      .address_quota = limits_.addresses,
      .server_budgets = limits_.server_budgets,
      .warnings = limits_.warnings,
      .limiters = limits_.limiters,
      .hints = workers_.hints(),
      .nonce_key = nonce_key(config_.cluster),
      .nat_discoveries = listeners_.nat_discoveries(),
      .clients = {.streams = {.tls = certificates_.tls(),
                              .idle = limits_.idle_connections,
                              .handshakes = limits_.limiters.handshakes},
                  .associations = {.dtls = certificates_.dtls(),
                                   .idle = limits_.idle_connections,
                                   .limiters = limits_.limiters}},
      .peer_connections = workers_.peer_connections(),
      .mailboxes = workers_.mailboxes(),
      .relays_tcp = config_.relay.tcp,
      .mobility = config_.relay.mobility,
  };
}

Daemon::~Daemon() = default;

void Daemon::post_settings() { workers_.post_settings(settings_.make()); }

void Daemon::open_admin(const config::Config& config) {
  admin_ = std::make_unique<Administration>(
      control_, config.admin,
      Administration::Hooks{
          .add_metrics = [this](std::vector<admin::Metric>& metrics) { metrics_.add_to(metrics); },
          .status = [this] { return metrics_.make_status(); },
          .is_ready = [this] { return stopping_.is_ready(); },
          .drain = [this](const admin::DrainOptions& options) { stopping_.begin_drain(options); },
          .reload = [this](bool dry_run) { return reload(dry_run); },
          .nodes = [this] { return clustering_.list_nodes(); },
          .end_user = [this](std::string user) { return orders_.end_user_everywhere(std::move(user)); },
          .list_users = [this](const std::string& after,
                               std::size_t limit) { return orders_.changes().list(after, limit); },
          .change_users =
              [this](admin::UserChange change) { return orders_.changes().change(std::move(change)); },
          .revoke =
              [this](auth::Revocation::Kind kind, std::string name, std::chrono::seconds duration) {
                return orders_.revoking().revoke(kind, std::move(name), duration);
              },
          .mailboxes = workers_.mailboxes()});
  listeners_.add_others(admin_->endpoints());
}

// Called when all listeners are open, since their addresses are compared with that of the web server.
void Daemon::open_web_forwarder() {
  for (const config::Listener& listener : config_.listen) {
    if (!listener.web) continue;
    listeners_.refuse_own_address(*listener.web);
    spdlog::info(fmt::format("connections to {} for names that are not ours are passed on to {}",
                             url_of(listener, listener.endpoint), listener.web->at.to_string()));
    threads_.open_web(config_, certificates_.get());
  }
}

void Daemon::follow_addresses() {
  settings_.update_peer_policy();
  post_settings();
  if (threads_.signaling())
    threads_.signaling()->set_addresses(addresses_.advertised(), addresses_.now().default_source());
  if (credentials_.are_empty()) return;
  addresses_.warnings().warn_about_relay_addresses();
  addresses_.warnings().warn_about_absent_addresses();
  addresses_.warnings().name_closed_networks(settings_.peer_policy());
}

void Daemon::follow_certificates() {
  if (threads_.signaling()) threads_.signaling()->set_certificate_name(certificates_.get()->public_name());
}

bool Daemon::run() {
  signal(SIGPIPE, SIG_IGN);
  reloading_.follow_signals(control_, [this] { return reload(false).report.ok; });
  addresses_.follow(control_, [this] { follow_addresses(); });
  certificates_.follow(control_, [this] { follow_certificates(); });
  stopping_.read_signals();
  {
    const SignalsBlocked blocked;
    workers_.start();
    threads_.start();
  }
  if (admin_) admin_->start();
  clustering_.join();
  stopping_.set_ready();
  clustering_.start();
  say_at_any_level("ready");
  notify_service_manager("READY=1");
  pulse_.begin();
  run_loop(control_);
  stop_threads();
  workers_.log_totals();
  return stopping_.end_watch();
}

// Ends the work in control_ of all parts, so that run_loop() returns.
void Daemon::end_work() {
  reloading_.stop();
  addresses_.stop();
  certificates_.stop();
  if (admin_) admin_->stop();
  pulse_.stop();
  clustering_.stop();
}

void Daemon::stop_threads() {
  threads_.stop(
      [this](const char* part, StopWatch::CutOff cut_off) { stopping_.watch(part, std::move(cut_off)); });
  stopping_.watch("a worker", {});  // which waits for nothing
  workers_.stop();
}

Administration::Reloaded Daemon::reload(bool dry_run) {
  Administration::Reloaded reloaded;
  std::optional<Reloading::Next> next = reloading_.read(reloaded.report);
  try {
    if (next && dry_run) reloaded.settings = settings_.make_for(next->config, std::move(next->credentials));
    if (next && !dry_run) addresses_.use(next->config.relay);
  } catch (const std::exception& error) {
    reloaded.report.errors.push_back(config::add_place(next->config.places, error.what()));
    next.reset();
  }
  reloaded.report.ok = next.has_value();
  if (dry_run) return reloaded;
  if (next) use(std::move(*next));
  reloading_.log(reloaded.report);
  if (next) notify_service_manager("READY=1");
  return reloaded;
}

void Daemon::use(Reloading::Next next) {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  notify_service_manager("RELOADING=1\nMONOTONIC_USEC=" +
                         std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(now).count()));
  const bool log_changes = next.config.log.level != config_.log.level ||
                           next.config.log.format != config_.log.format ||
                           next.config.log.addresses != config_.log.addresses;
  config_ = std::move(next.config);
  clustering_.follow_config();
  credentials_.use(std::move(next.credentials));
  if (next.certificates) certificates_.use(std::move(*next.certificates));
  limits_.use(config_);
  settings_.update_client_policy();
  settings_.update_peer_policy();
  post_settings();
  orders_.revoking().apply_recalled(next.recalled);
  credentials_.warn_about_algorithms();
  threads_.use(config_, addresses_.advertised(), addresses_.now().default_source());
  if (admin_) admin_->use(config_.admin);
  if (log_changes) LogScope::use(config_.log);
  for (const std::string& warning : config_.warnings) spdlog::warn(warning);
  if (!credentials_.are_empty()) addresses_.warnings().warn_about_absent_addresses();
}

void Daemon::use_alternates(std::vector<turn::AlternateServer> servers) {
  config_.relay.alternates.servers = std::move(servers);
  post_settings();
}

}  // namespace turnpike::daemon
