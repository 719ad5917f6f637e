#include "daemon/signaling_thread.hpp"

#include <spdlog/spdlog.h>

#include <boost/asio/post.hpp>

#include "daemon/run_loop.hpp"
#include "relay/clock.hpp"
#include "turnpike/turn/client_policy.hpp"

namespace turnpike::daemon {
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
      .host = signaling.public_host.empty() ? config.cluster.node : signaling.public_host,
      .certificate_name = tls ? tls->public_name() : std::string(),
      .advertise = advertised,
      .default_address = default_address,
      .secret = config.auth.secrets.front(),
      .lifetime = signaling.credential_lifetime,
  };
  params.credentials_per_second = signaling.credentials_per_second;
  params.bytes_per_second_per_address = signaling.http.bytes_per_second_per_address;
  params.root = signaling.root;
  params.cors = signaling.cors;
  params.public_host = signaling.public_host;
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
  params.clock = relay::read_clocks;
  params.warn = [](const std::string& line) { spdlog::warn(line); };
  return params;
}

http::Params http_params(const config::Config& config, const Certificates* tls, AddressLimiter& handshakes) {
  const config::SignalingParams& signaling = config.signaling;
  http::Params params;
  params.public_host = signaling.public_host;
  params.open = signaling.effective_access() == signaling::Access::open;
  params.hosts = signaling.hosts;
  if (tls) params.is_certified = [tls](const std::string& name) { return tls->is_for(name); };
  params.listeners = signaling.listen;
  params.is_for_strangers = true;
  params.cors = signaling.cors;
  params.trusted_proxies = signaling.trusted_proxies;
  params.limits = signaling.http;
  params.admit_handshake = [&handshakes,
                            clients = turn::ClientPolicy(config.clients)](const IpAddress& from) {
    return clients.is_exempt(from) || handshakes.take(from, relay::read_clocks().steady);
  };
  return params;
}

}  // namespace

SignalingThread::SignalingThread(Params params)
    : tls_(params.tls),
      handshakes_(params.handshakes),
      site_(io_,
            with_refusal_log(site_params(params.config, std::move(params.relay), tls_, params.advertised,
                                         params.default_address)),
            random_),
      server_(io_, with_refusal_log(http_params(params.config, tls_, handshakes_)),
              tls_ ? &tls_->tls() : nullptr, router_) {
  site_.add_routes(router_);
  if (params.config.cluster.is_enabled()) join_cluster(params.config.cluster);
  for (std::size_t i = 0; i < server_.endpoints().size(); ++i) {
    const bool is_secure = params.config.signaling.listen[i].secure;
    spdlog::info(fmt::format("listening on {}://{}", is_secure ? "https" : "http",
                             server_.endpoints()[i].to_string()));
  }
}

SignalingThread::~SignalingThread() {
  if (thread_.joinable()) stop();
}

void SignalingThread::join_cluster(const cluster::Params& params) {
  const std::string run =
      cluster::name_run(relay::read_clocks().wall, signaling::MemberId::random(random_).to_string());
  site_.join_cluster(cluster::hub_params(params, run), [this] { rooms_->send_to_nodes(); });
  rooms_.emplace(io_, params, run, site_.hub().cluster(),
                 cluster::Rooms::Hooks{
                     .clock = relay::read_clocks,
                     .deliver = [this](const signaling::HubOutput& told) { site_.deliver(told); },
                     .info = [](const std::string& line) { spdlog::info(line); },
                     .warn = [](const std::string& line) { spdlog::warn(line); },
                 });
}

template <class PartParams>
PartParams SignalingThread::with_refusal_log(PartParams params) {
  params.refused = [this](const http::Refused& refused) {
    count_refusal(refusal_counters_, refused.what);
    if (const auto line = refusals_.line(refused, relay::read_clocks().steady))
      line->write(spdlog::level::info);
  };
  return params;
}

void SignalingThread::start() {
  server_.start();
  if (rooms_) rooms_->start();
  thread_ = std::thread([this] { run_loop(io_); });
}

void SignalingThread::set_addresses(std::map<IpAddress, IpAddress> advertise,
                                    const std::optional<IpAddress>& by_default) {
  boost::asio::post(io_, [this, advertise = std::move(advertise), by_default]() mutable {
    site_.set_addresses(std::move(advertise), by_default);
  });
}

void SignalingThread::set_certificate_name(std::string name) {
  boost::asio::post(
      io_, [this, name = std::move(name)]() mutable { site_.set_certificate_name(std::move(name)); });
}

void SignalingThread::use(const config::Config& config, const std::map<IpAddress, IpAddress>& advertised,
                          const std::optional<IpAddress>& default_address) {
  auto site = with_refusal_log(site_params(config, {}, tls_, advertised, default_address));
  auto server = with_refusal_log(http_params(config, tls_, handshakes_));
  boost::asio::post(io_, [this, site = std::move(site), server = std::move(server)] {
    try {
      site_.use(site);
      server_.use(server);
    } catch (const std::exception& error) {
      spdlog::error(fmt::format("signaling stays as it was: {}", error.what()));
    }
  });
}

void SignalingThread::set_nodes(std::vector<signaling::OtherNode> others, double own_load,
                                std::uint64_t octets_per_second, bool takes_clients) {
  const signaling::OtherNode own{{}, {}, own_load, octets_per_second};
  boost::asio::post(io_, [this, others = std::move(others), own, takes_clients]() mutable {
    site_.set_nodes(std::move(others), own, takes_clients);
  });
}

void SignalingThread::set_name_secret(std::string secret) {
  boost::asio::post(
      io_, [this, secret = std::move(secret)]() mutable { site_.set_name_secret(std::move(secret)); });
}

void SignalingThread::announce_end(WallTime deadline) {
  boost::asio::post(io_, [this, deadline] { site_.announce_end(deadline); });
}

void SignalingThread::revoke(const auth::Revocation& revocation,
                             std::function<void(std::vector<std::string>)> answer) {
  boost::asio::post(io_, [this, revocation, answer = std::move(answer)] {
    if (auto users = site_.revoke(revocation)) answer(std::move(*users));
  });
}

void SignalingThread::ask(std::function<void()> answer) { boost::asio::post(io_, std::move(answer)); }

void SignalingThread::add_metrics(std::vector<admin::Metric>& metrics) const {
  admin::add_metrics(metrics, server_.counters());
  admin::add_metrics(metrics, site_.site_counters());
  admin::add_metrics(metrics, refusal_counters_);
  const auto gauge = [&](const char* family, const char* help, const Counter& value) {
    metrics.push_back({family, help, admin::MetricKind::gauge, {}, static_cast<double>(value.value())});
  };
  metrics.push_back(
      {"signaling_handovers_dropped_total",
       "Connections of auto:// that were dropped on the way to signaling, since too many waited.",
       admin::MetricKind::counter,
       {},
       static_cast<double>(waiting_.dropped())});
  gauge("signaling_rooms", "Rooms that there are.", site_.rooms());
  gauge("signaling_members", "Members of rooms.", site_.members());
  if (!rooms_) return;
  admin::add_metrics(metrics, rooms_->counters());
  gauge("cluster_room_nodes", "Nodes whose members can be in rooms with those of this one, with this one.",
        rooms_->nodes());
}

void SignalingThread::adopt(net::Fd connection, net::AcceptedConnection arrival) {
  waiting_.hand_over(io_, std::move(connection), std::move(arrival),
                     [this](net::Fd one, net::AcceptedConnection about) {
                       server_.adopt(std::move(one), std::move(about));
                     });
}

// Connections that workers still hand over would be work without end, so the queue is closed first.
void SignalingThread::stop() {
  boost::asio::post(io_, [this] {
    open_.reset();
    waiting_.close();
    if (rooms_) rooms_->stop();
    site_.stop();
    server_.stop();
  });
  thread_.join();
  waiting_.close();  // in case that the thread was cut off before
  log_totals();
}

std::string SignalingThread::cut_off() {
  io_.stop();
  return fmt::format("{} connections of signaling", connections());
}

void SignalingThread::log_totals() const {
  const signaling::SocketIo::Counters& lists = site_.socket_io_counters();
  spdlog::info(fmt::format("signaling: {}not_taken_over={} room_lists={} room_lists_put_off={}",
                           describe_counters(server_.counters()), waiting_.dropped(), lists.room_lists,
                           lists.room_lists_put_off));
  if (const std::string totals = refusals_.totals(); !totals.empty())
    spdlog::info(fmt::format("signaling refused: {}", totals));
}

}  // namespace turnpike::daemon
