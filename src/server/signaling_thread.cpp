#include "server/signaling_thread.hpp"

#include <spdlog/spdlog.h>

#include <boost/asio/post.hpp>

#include "http/tls_context.hpp"
#include "net/interfaces.hpp"
#include "server/clock.hpp"

namespace turnpike::server {
namespace {

std::optional<IpAddress> default_address() {
  const auto v4 = net::default_route_source(Family::ipv4);
  return v4 ? v4 : net::default_route_source(Family::ipv6);
}

http::SignalingSite::Params site_params(const config::Config& config,
                                        std::vector<signaling::IceParams::Listener> relay) {
  const config::SignalingParams& signaling = config.signaling;
  http::SignalingSite::Params params;
  params.limits = signaling.limits;
  params.tokens = {signaling.effective_access(), signaling.token_secrets};
  params.ice_servers = {
      .listeners = std::move(relay),
      .host = signaling.public_host,
      .certificate_name = config.tls.certificate.empty() ? std::string() : http::certificate_name(config.tls),
      .advertise = config.relay.advertise,
      .default_address = default_address(),
      .secret = config.auth.secrets.front(),
      .lifetime = signaling.credential_lifetime,
  };
  params.credentials_per_second = signaling.credentials_per_second;
  params.root = signaling.root;
  params.cors = signaling.cors;
  params.connect_timeout = signaling.connect_timeout;
  params.preset = signaling.preset;
  params.engine_io.ping_interval = signaling.ping_interval;
  params.engine_io.ping_timeout = signaling.ping_timeout;
  params.engine_io.max_payload = signaling.http.message_bytes;
  params.engine_io.max_waiting = signaling.http.waiting_bytes;
  params.engine_io.sessions_per_address = signaling.http.connections_per_address;
  params.recovery = signaling.recovery;
  params.list_rooms = signaling.list_rooms;
  net::SystemRandom random;
  std::array<std::uint8_t, sizeof params.seed> seed;
  random.fill(seed);
  std::memcpy(&params.seed, seed.data(), seed.size());
  params.clock = read_clocks;
  return params;
}

http::Params http_params(const config::SignalingParams& signaling) {
  http::Params params;
  params.listeners = signaling.listen;
  params.cors = signaling.cors;
  params.trusted_proxies = signaling.trusted_proxies;
  params.limits = signaling.http;
  return params;
}

std::optional<boost::asio::ssl::context> tls_context(const config::Config& config) {
  const bool secure = std::ranges::any_of(config.signaling.listen, &http::Listener::secure);
  if (!secure) return std::nullopt;
  return http::make_tls_context(config.tls);
}

}  // namespace

SignalingThread::SignalingThread(const config::Config& config,
                                 std::vector<signaling::IceParams::Listener> relay)
    : tls_(tls_context(config)),
      site_(io_, site_params(config, std::move(relay)), random_),
      server_(io_, http_params(config.signaling), tls_ ? &*tls_ : nullptr, router_) {
  site_.add_routes(router_);
  for (std::size_t i = 0; i < server_.endpoints().size(); ++i) {
    spdlog::info("listening on {}://{}", config.signaling.listen[i].secure ? "https" : "http",
                 server_.endpoints()[i].to_string());
  }
  if (config.signaling.effective_access() == signaling::Access::open && !config.signaling.only_loopback()) {
    spdlog::warn("signaling.access is open: whoever reaches it may use the relay");
  }
}

SignalingThread::~SignalingThread() {
  if (thread_.joinable()) stop();
}

void SignalingThread::start() {
  server_.start();
  thread_ = std::thread([this] { io_.run(); });
}

void SignalingThread::stop() {
  boost::asio::post(io_, [this] {
    site_.stop();
    server_.stop();
  });
  thread_.join();
}

}  // namespace turnpike::server
