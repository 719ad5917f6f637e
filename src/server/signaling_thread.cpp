#include "server/signaling_thread.hpp"

#include <spdlog/spdlog.h>

#include <boost/asio/post.hpp>

#include "server/clock.hpp"

namespace turnpike::server {
namespace {

http::SignalingSite::Params site_params(const config::Config& config,
                                        std::vector<signaling::IceParams::Listener> relay,
                                        const Certificates* tls,
                                        const std::map<IpAddress, IpAddress>& advertised,
                                        const std::optional<IpAddress>& default_address) {
  const config::SignalingParams& signaling = config.signaling;
  http::SignalingSite::Params params;
  params.limits = signaling.limits;
  params.tokens = {signaling.effective_access(), signaling.token_secrets};
  params.ice_servers = {
      .listeners = std::move(relay),
      .host = signaling.public_host,
      .certificate_name = tls ? tls->public_name() : std::string(),
      .advertise = advertised,
      .default_address = default_address,
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
  params.hash_key = crypto::draw_hash_key(random);
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

}  // namespace

SignalingThread::SignalingThread(const config::Config& config,
                                 std::vector<signaling::IceParams::Listener> relay, const Certificates* tls,
                                 const std::map<IpAddress, IpAddress>& advertised,
                                 const std::optional<IpAddress>& default_address)
    : site_(io_, site_params(config, std::move(relay), tls, advertised, default_address), random_),
      server_(io_, http_params(config.signaling), tls ? &tls->tls() : nullptr, router_) {
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

void SignalingThread::set_default_address(const std::optional<IpAddress>& address) {
  boost::asio::post(io_, [this, address] { site_.set_default_address(address); });
}

void SignalingThread::adopt(net::Fd connection, http::Arrival arrival) {
  boost::asio::post(io_, [this, connection = std::move(connection), arrival = std::move(arrival)]() mutable {
    server_.adopt(std::move(connection), std::move(arrival));
  });
}

void SignalingThread::stop() {
  boost::asio::post(io_, [this] {
    open_.reset();
    site_.stop();
    server_.stop();
  });
  thread_.join();
}

}  // namespace turnpike::server
