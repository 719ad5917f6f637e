#include "http/signaling_site.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "http/bearer.hpp"
#include "http/call_page.hpp"
#include "http/cost.hpp"
#include "turnpike/signaling/close_code.hpp"

namespace turnpike::http {
namespace {

namespace json = boost::json;
using signaling::Refusal;

constexpr Duration kBurst = std::chrono::seconds(4);  // the burst of bytes_per_second_per_address

// Makes a handler from a function that returns its answer at once.
Handler at_once(std::function<Response(const Request&)> function) {
  return [function = std::move(function)](const Request& request) -> Awaitable<Response> {
    co_return function(request);
  };
}

unsigned status_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::token_required:
    case Refusal::token_invalid:
    case Refusal::token_expired:
    case Refusal::token_not_yet_valid:
    case Refusal::token_revoked: return 401;
    case Refusal::rate_limited: return 429;
    default: return 400;
  }
}

signaling::SocketIo::Settings socket_io_settings(const SignalingSite::Params& params) {
  return {.access = params.tokens.access,
          .preset = params.preset,
          .connect_timeout = params.connect_timeout,
          .recovery = params.recovery,
          .list_rooms = params.list_rooms};
}

Response refused(Refusal refusal) {
  Response response = json_response(json::serialize(
      json::object{{"code", signaling::code_of(refusal)}, {"message", signaling::message_of(refusal)}}));
  response.status = status_of(refusal);
  if (response.status == 401) response.set("WWW-Authenticate", "Bearer");  // RFC 6750 §3
  if (response.status == 429) response.set("Retry-After", "1");
  return response;
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
      plain_({.hub = hub_,
              .ice_servers = ice_servers_,
              .tokens = tokens_,
              .minting = minting_,
              .access = params_.tokens.access,
              .connect_timeout = params_.connect_timeout}),
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
  if (!params_.root.empty()) files_.emplace(params_.root);
}

void SignalingSite::add_routes(Router& router) {
  router.add("GET", "/ice-servers", at_once([this](const Request& request) { return ice_servers(request); }));
  for (const char* method : {"GET", "POST"}) {
    router.add(method, "/turn", at_once([this](const Request& request) { return turn_rest(request); }));
  }
  router.add_web_socket("/ws", *this);
  router.add("GET", "/ws",
             at_once([](const Request&) { return upgrade_required("this path is for WebSockets"); }));
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

void SignalingSite::report_refused(const signaling::Refused& refused) const {
  if (params_.refused) {
    params_.refused({signaling::code_of(refused.why), signaling::key_of(refused.why), refused.client});
  }
}

Result<signaling::IceCredentials, Refusal> SignalingSite::mint(const Request& request,
                                                               std::string_view token) {
  const TimePoint now = params_.clock();
  const Result<signaling::Grant, Refusal> grant = admit(token);
  if (!grant) return grant.error();
  if (!minting_.take(request.client, now.steady)) return Refusal::rate_limited;
  return ice_servers_.mint(ice_servers_.quota_user(grant->subject, request.client), now.wall);
}

Response SignalingSite::minted(const Request& request, std::string_view token,
                               const std::function<std::string(const signaling::IceCredentials&)>& body) {
  if (!origins_.allows(request)) {
    if (params_.refused) {
      params_.refused({"origin", "signaling.cors", request.client, std::string(request.header("origin"))});
    }
    return error_response(403, "this origin is not allowed here");
  }
  const auto credentials = mint(request, token);
  if (!credentials) report_refused({credentials.error(), request.client});
  Response response = credentials ? json_response(body(*credentials)) : refused(credentials.error());
  origins_.add_headers(request, response);
  return response;
}

Response SignalingSite::ice_servers(const Request& request) {
  return minted(request, bearer_token(request), [&](const signaling::IceCredentials& credentials) {
    const std::string host = ice_servers_.host_for(request.host);
    const auto ttl = std::chrono::duration_cast<std::chrono::seconds>(ice_servers_.lifetime()).count();
    return json::serialize(json::object{{"iceServers", ice_servers_.entries(host, credentials)},
                                        {"iceTransportPolicy", "all"},
                                        {"ttl", ttl},
                                        {"expiresAt", signaling::to_rfc3339(credentials.expires)}});
  });
}

// The request of draft-uberti-behave-turn-rest §2.2. Janus sends it as a POST with the parameters in a form.
// `key` is the token of those who cannot send a header.
Response SignalingSite::turn_rest(const Request& request) {
  if (request.query("service") != "turn" && request.form("service") != "turn") {
    return error_response(400, "expected ?service=turn");
  }
  std::string token(bearer_token(request));
  if (token.empty()) token = request.form("key").value_or("");
  if (token.empty()) token = request.query("key").value_or("");
  return minted(request, token, [&](const signaling::IceCredentials& credentials) {
    json::array uris;
    for (const std::string& url : ice_servers_.choose_urls(ice_servers_.host_for(request.host)).turn)
      uris.emplace_back(url);
    const auto ttl = std::chrono::duration_cast<std::chrono::seconds>(ice_servers_.lifetime()).count();
    return json::serialize(json::object{{"username", credentials.username},
                                        {"password", credentials.password},
                                        {"ttl", ttl},
                                        {"uris", std::move(uris)}});
  });
}

void SignalingSite::on_open(std::uint64_t number, std::shared_ptr<WebSocket> socket, const Request& request) {
  sockets_.emplace(number, Client{std::move(socket), request.client});
  plain_.on_open(number,
                 {.address = request.client,
                  .host = std::string(request.host),
                  .token = std::string(bearer_token(request))},
                 params_.clock());
  flush();
}

void SignalingSite::on_message(std::uint64_t number, std::string_view message, bool binary) {
  ++counters_.plain;
  const Client& client = sockets_.at(number);
  if (binary) {
    client.socket->close(signaling::kUnsupportedData, "this protocol is text");
    return;
  }
  const IpAddress address = client.address;
  const TimePoint now = params_.clock();
  plain_.on_text(number, message, now, output_);
  pace_.charge(address, cost_of_message(message.size()) + flush(), now.steady);
}

void SignalingSite::on_control(std::uint64_t number, std::size_t size) {
  pace_.charge(sockets_.at(number).address, cost_of_control(size), params_.clock().steady);
}

Duration SignalingSite::rest_time(std::uint64_t number) {
  return pace_.rest_time(sockets_.at(number).address, params_.clock().steady);
}

void SignalingSite::on_closed(std::uint64_t number, bool clean) {
  sockets_.erase(number);
  plain_.on_closed(number, clean, params_.clock(), output_);
  flush();
}

// Delivers messages between members of one room who use different protocols. A delivery to the plain protocol
// may cause messages to Socket.IO, but never the reverse.
void SignalingSite::exchange_between_protocols() {
  plain_.deliver(socket_io_.take_foreign(), output_);
  const std::vector<signaling::Delivery> foreign = std::exchange(output_.foreign, {});
  socket_io_.deliver(foreign, socket_io_endpoint_.output());
}

std::uint64_t SignalingSite::flush() {
  exchange_between_protocols();
  if (send_to_nodes_) send_to_nodes_();
  rooms_ = hub_.rooms();
  members_ = hub_.members();
  for (const signaling::Refused& refused : output_.refused) report_refused(refused);
  for (const signaling::Refused& refused : socket_io_.take_refused()) report_refused(refused);
  std::uint64_t sent = 0;
  for (const auto& send : output_.sends) {
    const auto client = sockets_.find(send.to);
    if (client == sockets_.end()) continue;
    sent += cost_of_message(send.text->size());
    client->second.socket->send(send.text, false);
  }
  for (const auto& close : output_.closes) {
    if (const auto socket = sockets_.find(close.to); socket != sockets_.end()) {
      socket->second.socket->close(close.code, close.reason);
    }
  }
  output_.clear();
  sent += socket_io_endpoint_.flush();
  sent += echo_endpoint_.flush();
  set_timer();
  return sent;
}

void SignalingSite::on_timer() {
  const TimePoint now = params_.clock();
  plain_.on_timeout(now, output_);
  socket_io_.on_timeout(now, socket_io_endpoint_.output());
  engine_.on_timeout(now, socket_io_endpoint_.output());
  echo_engine_.on_timeout(now, echo_endpoint_.output());
  flush();
}

void SignalingSite::use(const Params& params) {
  std::optional<StaticFiles> files;
  if (!params.root.empty()) files.emplace(params.root);
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
  plain_.deliver(told.deliveries, output_);
  plain_.close_replaced(told.replaced, output_);
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
  plain_.close_revoked(revoked.connections, output_);
  socket_io_.close_revoked(revoked.connections, now, socket_io_endpoint_.output());
  course_chat_.close_revoked(revocation);
  deliver(told);
  return std::move(revoked.quota_users);
}

void SignalingSite::announce_end(WallTime deadline) {
  plain_.announce_end(deadline, output_);
  socket_io_.announce_end(deadline, socket_io_endpoint_.output());
  flush();
}

void SignalingSite::stop() {
  stopping_ = true;
  timer_.cancel();
  socket_io_endpoint_.stop();
  echo_endpoint_.stop();
  // Before the sessions, whose ends would be told to these: direct calls stay up.
  for (const auto& [number, client] : sockets_)
    client.socket->close(signaling::kGoingAway, signaling::kRestarting);
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
