#include "http/signaling_site.hpp"

#include <algorithm>
#include <boost/asio/io_context.hpp>

#include "http/call_page.hpp"
#include "turnpike/signaling/close_code.hpp"

namespace turnpike::http {
namespace {

using signaling::Refusal;

constexpr Duration kBurst = std::chrono::seconds(4);  // the burst of bytes_per_second_per_address

signaling::SocketIo::Settings socket_io_settings(const SignalingSite::Params& params) {
  return {.access = params.tokens.access,
          .preset = params.preset,
          .connect_timeout = params.connect_timeout,
          .recovery = params.recovery,
          .list_rooms = params.list_rooms,
          .max_payload = params.engine_io.max_payload};
}

}  // namespace

SignalingSite::SignalingSite(boost::asio::io_context& io, Params params, crypto::Random& random)
    : params_(std::move(params)),
      origins_(params_.cors, params_.public_host),
      minting_(params_.credentials_per_second, std::uint64_t{20} * params_.credentials_per_second,
               params_.hash_key),
      pace_(params_.bytes_per_second_per_address, kBurst, params_.hash_key),
      random_(random),
      hub_(params_.limits, random),
      tokens_(params_.tokens.secrets),
      ice_servers_(params_.ice_servers),
      ice_servers_endpoint_({ice_servers_, origins_, minting_,
                             [this](std::string_view token) { return admit(token); }, params_.clock,
                             params_.refused}),
      plain_({.hub = hub_,
              .ice_servers = ice_servers_,
              .tokens = tokens_,
              .minting = minting_,
              .access = params_.tokens.access,
              .connect_timeout = params_.connect_timeout}),
      plain_endpoint_({plain_, params_.clock, [this] { return flush(); }, pace_, counters_.plain}),
      socket_io_({.hub = hub_, .tokens = tokens_, .random = random, .settings = socket_io_settings(params_)}),
      engine_(params_.engine_io, random, socket_io_),
      socket_io_endpoint_(io, {engine_, origins_, params_.clock, [this] { return flush(); }, pace_,
                               counters_.socket_io, params_.refused}),
      echo_engine_(params_.engine_io, random, echo_),
      echo_endpoint_(io, {echo_engine_, origins_, params_.clock, [this] { return flush(); }, pace_,
                          counters_.socket_io, params_.refused}),
      course_chat_({[this](std::string_view token) { return admit(token); }, params_.clock, pace_,
                    counters_.chat, params_.refused}),
      timer_(io) {
  hub_.set_revocations(tokens_.revocations());
  socket_io_.use(engine_);
  echo_.use(echo_engine_);
  if (!params_.root.empty()) files_.emplace(params_.root, params_.warn);
}

void SignalingSite::add_routes(Router& router) {
  ice_servers_endpoint_.add_routes(router);
  plain_endpoint_.add_routes(router, "/ws");
  // A reload may change the preset, so all routes are registered, and each is served while the preset has it.
  const auto has_socket_io = [this] { return params_.preset != signaling::Preset::none; };
  socket_io_endpoint_.add_routes(router, "/socket.io/");
  router.serve_while("/socket.io/", has_socket_io);
  for (const char* name : {"socket.io.js", "socket.io.min.js", "socket.io.esm.min.js", "LICENSE"}) {
    const std::string path = std::string("/socket.io/") + name;
    router.add("GET", path, at_once([this](const Request& request) {
                 Response response = socket_io_client(request);
                 origins_.add_headers(request, response);
                 return response;
               }));
    router.serve_while(path, has_socket_io);
  }
  router.add_web_socket("/", course_chat_);
  router.serve_while("/", [this] { return params_.preset == signaling::Preset::course; });
  echo_endpoint_.add_routes(router, "/engine.io/");
  router.serve_while("/engine.io/", [this] { return params_.preset == signaling::Preset::echo; });
  // A later reload may replace the call page with a folder.
  router.set_fallback(at_once(
      [this](const Request& request) { return files_ ? files_->serve(request) : call_page(request); }));
}

Result<signaling::Grant, Refusal> SignalingSite::admit(std::string_view token) {
  if (params_.tokens.access == signaling::Access::open) return signaling::Grant{};
  if (token.empty()) return Refusal::token_required;
  return tokens_.verify(token, params_.clock().wall);
}

void SignalingSite::report_refused(const std::vector<signaling::Refused>& refused) const {
  if (!params_.refused) return;
  for (const signaling::Refused& one : refused) params_.refused(refused_of(one.why, one.client));
}

// Delivers messages between members of one room who use different protocols. A delivery to the plain protocol
// may cause messages to Socket.IO, but never the reverse.
void SignalingSite::exchange_between_protocols() {
  signaling::PlainProtocol::Output& output = plain_endpoint_.output();
  plain_.deliver(socket_io_.take_foreign(), output);
  const std::vector<signaling::Delivery> foreign = std::exchange(output.foreign, {});
  socket_io_.deliver(foreign, socket_io_endpoint_.output());
}

std::uint64_t SignalingSite::flush() {
  exchange_between_protocols();
  if (send_to_nodes_) send_to_nodes_();
  rooms_ = hub_.rooms();
  members_ = hub_.members();
  report_refused(plain_endpoint_.output().refused);
  report_refused(socket_io_.take_refused());
  std::uint64_t sent = plain_endpoint_.flush();
  sent += socket_io_endpoint_.flush();
  sent += echo_endpoint_.flush();
  set_timer();
  return sent;
}

void SignalingSite::on_timer() {
  const TimePoint now = params_.clock();
  plain_.on_timeout(now, plain_endpoint_.output());
  socket_io_.on_timeout(now, socket_io_endpoint_.output());
  engine_.on_timeout(now, socket_io_endpoint_.output());
  echo_engine_.on_timeout(now, echo_endpoint_.output());
  flush();
}

void SignalingSite::use(const Params& params) {
  std::optional<StaticFiles> files;
  if (!params.root.empty()) files.emplace(params.root, params.warn);
  files_ = std::move(files);
  params_.root = params.root;
  params_.limits = params.limits;
  hub_.set_limits(params.limits);
  const bool is_open_no_more =
      params_.tokens.access == signaling::Access::open && params.tokens.access == signaling::Access::token;
  params_.tokens = params.tokens;
  tokens_.set_secrets(params.tokens.secrets);
  plain_.set(params.tokens.access, params.connect_timeout);
  if (params.preset != params_.preset) {
    end_sessions();
    course_chat_.close_all(signaling::kNoLongerServed);
  }
  if (is_open_no_more) course_chat_.close_all(signaling::code_of(Refusal::token_required));
  params_.preset = params.preset;
  socket_io_.set(socket_io_settings(params), params_.clock(), socket_io_endpoint_.output());
  engine_.set_params(params.engine_io);
  echo_engine_.set_params(params.engine_io);
  pace_.set_rate(params.bytes_per_second_per_address);
  minting_.set_limit(params.credentials_per_second, std::uint64_t{20} * params.credentials_per_second);
  params_.cors = params.cors;
  params_.public_host = params.public_host;
  origins_ = Origins(params.cors, params.public_host);
  signaling::IceParams ice = params.ice_servers;
  ice.listeners = params_.ice_servers.listeners;
  params_.ice_servers = ice;
  ice_servers_.use(std::move(ice));
  flush();
}

void SignalingSite::join_cluster(signaling::ClusterParams params, std::function<void()> send_to_nodes) {
  hub_.share_with_cluster(std::move(params));
  send_to_nodes_ = std::move(send_to_nodes);
}

void SignalingSite::deliver(const signaling::Hub::Output& told) {
  const std::size_t rooms_before = rooms_;
  plain_.deliver(told.deliveries, plain_endpoint_.output());
  plain_.close_replaced(told.replaced, plain_endpoint_.output());
  if (hub_.rooms() != rooms_before) {
    socket_io_.on_rooms_changed(params_.clock(), socket_io_endpoint_.output());
  }
  flush();
}

std::optional<std::vector<std::string>> SignalingSite::revoke(const auth::Revocation& revocation) {
  const TimePoint now = params_.clock();
  if (!tokens_.revoke(revocation, now.wall)) return std::nullopt;
  signaling::Hub::Output told;
  signaling::Hub::Revoked revoked = hub_.remove_holders(revocation, told);
  plain_.close_revoked(revoked.connections, plain_endpoint_.output());
  socket_io_.close_revoked(revoked.connections, now, socket_io_endpoint_.output());
  course_chat_.close_revoked(revocation);
  deliver(told);
  return std::move(revoked.quota_users);
}

void SignalingSite::announce_end(WallTime deadline) {
  plain_.announce_end(deadline, plain_endpoint_.output());
  socket_io_.announce_end(deadline, socket_io_endpoint_.output());
  flush();
}

void SignalingSite::stop() {
  stopping_ = true;
  timer_.cancel();
  socket_io_endpoint_.stop();
  echo_endpoint_.stop();
  // Its clients would else be told that the sessions have ended: direct calls stay up.
  plain_endpoint_.stop();
  end_sessions();
  flush();
}

void SignalingSite::end_sessions() {
  engine_.close_all(params_.clock(), socket_io_endpoint_.output());
  echo_engine_.close_all(params_.clock(), echo_endpoint_.output());
}

void SignalingSite::set_timer() {
  if (stopping_) return;
  const SteadyTime deadline = std::min({plain_.next_deadline(), socket_io_.next_deadline(),
                                        engine_.next_deadline(), echo_engine_.next_deadline()});
  if (deadline == timer_set_to_) return;
  timer_set_to_ = deadline;
  if (deadline == SteadyTime::max()) {
    timer_.cancel();
    return;
  }
  timer_.expires_after(std::max(deadline - params_.clock().steady, Duration::zero()));
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    timer_set_to_ = SteadyTime::max();
    on_timer();
  });
}

}  // namespace turnpike::http
