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
#include "net/tcp_socket.hpp"
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

std::unique_ptr<const net::TlsContext> make_tls_context(const config::Config& config) {
  if (config.tls.certificate.empty() || config.tls.private_key.empty()) return nullptr;
  return std::make_unique<const net::TlsContext>(config.tls.certificate, config.tls.private_key);
}

Daemon::Daemon(const config::Config& config, auth::CredentialStore credentials,
               std::unique_ptr<const net::TlsContext> tls)
    : own_addresses_(net::interface_addresses()),
      sockets_(config.workers == 0 ? usable_cores() : config.workers),
      credentials_(std::move(credentials)),
      relays_(config.relay, own_addresses_),
      quota_(config.limits.allocations, config.limits.allocations_per_user),
      limiter_(config.limits.unauthenticated_per_second,
               std::uint64_t{2} * config.limits.unauthenticated_per_second, random_seed()),
      tls_(std::move(tls)),
      idle_connections_(config.streams.idle_per_address) {
  raise_descriptor_limit();
  open_listeners(config);
  policy_ = std::make_unique<turn::PeerPolicy>(
      turn::PeerPolicy::Params{config.peers, own_addresses_, udp_listeners_});
  const Worker::Shared shared{
      .credentials = credentials_,
      .policy = *policy_,
      .relays = relays_,
      .quota = quota_,
      .limiter = limiter_,
      .limits = config.limits,
      .nonce_key = random_key(),
      .nonce_lifetime = config.auth.nonce_lifetime,
      .streams = {.tls = tls_.get(), .idle = idle_connections_, .limits = config.streams},
  };
  for (WorkerListeners& sockets : sockets_) {
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
  const Endpoint at = is_stream(listener.transport) ? open_streams(listener) : open_udp(listener.endpoint);
  told_.push_back({listener.transport, at});
  spdlog::info("listening on {}", url(listener, at));
}

Endpoint Daemon::open_streams(const config::Listener& listener) {
  Endpoint at = listener.endpoint;
  if (at.port != 0) net::require_free_tcp_address(at);
  for (WorkerListeners& sockets : sockets_) {
    net::Fd socket = net::open_tcp_listener(at);
    at.port = net::local_endpoint(socket.get()).port;
    sockets.streams.push_back({std::move(socket), at, listener.transport});
  }
  return at;
}

Endpoint Daemon::open_udp(Endpoint at) {
  if (at.port != 0) net::require_free_udp_address(at);
  int granted = kListenerBuffer;
  for (WorkerListeners& sockets : sockets_) {
    net::Fd socket = net::open_udp_listener(at);
    at.port = net::local_endpoint(socket.get()).port;
    granted = std::min(granted, net::set_buffer_sizes(socket.get(), kListenerBuffer));
    sockets.udp.push_back({std::move(socket), at});
  }
  udp_listeners_.push_back(at);
  if (granted < kListenerBuffer) {
    spdlog::warn("the kernel granted {} of {} KiB of buffer: raise net.core.rmem_max and wmem_max",
                 granted >> 10, kListenerBuffer >> 10);
  }
  return at;
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
  signal(SIGPIPE, SIG_IGN);
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
  Streams::Counters connections;
  net::StreamCounters streams;
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
    exhausted += worker->exhausted() + worker->streams().counters().out_of_descriptors;
    connections.accepted += worker->streams().counters().accepted;
    connections.refused += worker->streams().counters().refused;
    connections.timed_out += worker->streams().counters().timed_out;
    streams.media_dropped += worker->streams().stream_counters().media_dropped;
    streams.too_slow += worker->streams().stream_counters().too_slow;
    streams.handshakes_failed += worker->streams().stream_counters().handshakes_failed;
  }
  spdlog::info(
      "stopped: requests={} refusals={} withheld={} allocations={} to_peer={} to_client={} dropped_full={} "
      "dropped_failed={} out_of_descriptors={}",
      all.requests, all.refusals, all.answers_withheld, all.allocations_created, all.to_peer, all.to_client,
      sends.dropped_full, sends.dropped_failed, exhausted);
  if (connections.accepted + connections.refused == 0) return;
  spdlog::info(
      "connections: accepted={} refused={} timed_out={} too_slow={} handshakes_failed={} media_dropped={}",
      connections.accepted, connections.refused, connections.timed_out, streams.too_slow,
      streams.handshakes_failed, streams.media_dropped);
}

}  // namespace turnpike::server
