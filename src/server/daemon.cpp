#include "server/daemon.hpp"

#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <stdexcept>
#include <string>
#include <system_error>

#include "net/interfaces.hpp"
#include "net/system_random.hpp"
#include "net/udp_socket.hpp"
#include "server/cores.hpp"
#include "server/notify.hpp"
#include "turnpike/crypto/base64.hpp"

namespace turnpike::server {
namespace {

constexpr int kListenerBuffer = 4 << 20;  // bytes; about 30 ms of a gigabit

std::uint64_t random_seed() {
  std::array<std::uint8_t, 8> bytes;
  net::SystemRandom().fill(bytes);
  return std::uint64_t{load_u32(bytes.data())} << 32 | load_u32(&bytes[4]);
}

auth::Nonces::MasterKey random_key() {
  auth::Nonces::MasterKey key;
  net::SystemRandom().fill(key);
  return key;
}

// Every allocation is a descriptor, and the soft limit of 1,024 is only there for select().
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
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

std::string url(const config::Listener& listener, const Endpoint& at) {
  return std::string(to_string(listener.transport)) + "://" + at.to_string();
}

}  // namespace

auth::CredentialStore make_credentials(const auth::Params& params) {
  try {
    crypto::Digester digester;
    return auth::CredentialStore(params, digester);
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument(std::string("auth.users: ") + error.what());
  }
}

void add_missing_secret(config::Config& config) {
  if (!config.signaling.enabled || !config.auth.secrets.empty()) return;
  std::array<std::uint8_t, 32> secret;
  net::SystemRandom().fill(secret);
  config.auth.secrets.push_back(crypto::base64_encode(secret));
}

Daemon::Daemon(const config::Config& config, auth::CredentialStore credentials)
    : own_addresses_(net::interface_addresses()),
      sockets_(config.workers == 0 ? usable_cores() : config.workers),
      credentials_(std::move(credentials)),
      relays_(config.relay, own_addresses_),
      quota_(config.limits.allocations, config.limits.allocations_per_user),
      limiter_(config.limits.unauthenticated_per_second,
               std::uint64_t{2} * config.limits.unauthenticated_per_second, random_seed()) {
  raise_descriptor_limit();
  open_listeners(config);
  policy_ =
      std::make_unique<turn::PeerPolicy>(turn::PeerPolicy::Params{config.peers, own_addresses_, listeners_});
  const Worker::Shared shared{
      .credentials = credentials_,
      .policy = *policy_,
      .relays = relays_,
      .quota = quota_,
      .limiter = limiter_,
      .limits = config.limits,
      .nonce_key = random_key(),
      .nonce_lifetime = config.auth.nonce_lifetime,
  };
  for (ListenerSockets& sockets : sockets_) {
    workers_.push_back(std::make_unique<Worker>(shared, std::move(sockets)));
  }
  if (config.signaling.enabled) signaling_ = std::make_unique<SignalingThread>(config, told_);
  if (credentials_.empty()) {
    spdlog::info("auth has neither users nor secrets: STUN only, nothing is relayed");
  } else {
    warn_about_relay_addresses();
  }
}

void Daemon::open_listeners(const config::Config& config) {
  for (const config::Listener& listener : config.listen) {
    try {
      open_listener(listener);
    } catch (const std::system_error& error) {
      throw std::runtime_error("cannot listen on " + url(listener, listener.endpoint) + ": " +
                               error.code().message());
    }
  }
}

// One socket for each worker. Their number stays as it is for the life of the process, since changing it
// would send clients to other workers.
void Daemon::open_listener(const config::Listener& listener) {
  Endpoint at = listener.endpoint;
  if (at.port != 0) net::require_free_udp_address(at);
  int granted = kListenerBuffer;
  for (ListenerSockets& sockets : sockets_) {
    net::Fd socket = net::open_udp_listener(at);
    at.port = net::local_endpoint(socket.get()).port;
    granted = std::min(granted, net::set_buffer_sizes(socket.get(), kListenerBuffer));
    sockets.push_back({std::move(socket), at});
  }
  listeners_.push_back(at);
  told_.push_back({listener.transport, at});
  spdlog::info("listening on {}", url(listener, at));
  if (granted < kListenerBuffer) {
    spdlog::warn("the kernel granted {} of {} KiB of buffer: raise net.core.rmem_max and wmem_max",
                 granted >> 10, kListenerBuffer >> 10);
  }
}

void Daemon::warn_about_relay_addresses() const {
  for (const IpAddress& address : relays_.private_without_advertisement()) {
    if (address.is_loopback()) continue;
    spdlog::warn(
        "relayed addresses on {} are not reachable from the Internet: behind a NAT, name its public address "
        "in "
        "relay.advertise",
        address.to_string());
  }
}

void Daemon::run() {
  boost::asio::io_context control;
  boost::asio::signal_set stop_signals(control, SIGTERM, SIGINT);
  stop_signals.async_wait([](const boost::system::error_code&, int signal) {
    spdlog::info("stopping on {}", signal == SIGTERM ? "SIGTERM" : "SIGINT");
  });
  {
    const SignalsBlocked blocked;
    for (const auto& worker : workers_) worker->start();
    if (signaling_) signaling_->start();
  }
  spdlog::info("ready");
  notify_service_manager("READY=1");
  control.run();
  notify_service_manager("STOPPING=1");
  if (signaling_) signaling_->stop();
  for (const auto& worker : workers_) worker->stop();
  log_totals();
}

void Daemon::log_totals() const {
  turn::Counters all;
  net::SendCounters sends;
  std::uint64_t exhausted = 0;
  for (const auto& worker : workers_) {
    const turn::Counters& c = worker->counters();
    all.requests += c.requests;
    all.refusals += c.refusals;
    all.answers_withheld += c.answers_withheld;
    all.allocations_created += c.allocations_created;
    all.to_peer += c.to_peer;
    all.to_client += c.to_client;
    sends.dropped_full += worker->sends().dropped_full;
    sends.dropped_failed += worker->sends().dropped_failed;
    exhausted += worker->exhausted();
  }
  spdlog::info(
      "stopped: requests={} refusals={} withheld={} allocations={} to_peer={} to_client={} dropped_full={} "
      "dropped_failed={} out_of_descriptors={}",
      all.requests, all.refusals, all.answers_withheld, all.allocations_created, all.to_peer, all.to_client,
      sends.dropped_full, sends.dropped_failed, exhausted);
}

}  // namespace turnpike::server
