#include "http/signaling_site.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "http/call_page.hpp"
#include "turnpike/base/prefix.hpp"

namespace turnpike::http {
namespace {

namespace json = boost::json;
using signaling::Refusal;

constexpr std::uint16_t kUnsupportedData = 1003;  // RFC 6455 §7.4.1

// A handler that has its answer at once.
Handler at_once(std::function<Response(const Request&)> function) {
  return [function = std::move(function)](const Request& request) -> Awaitable<Response> {
    co_return function(request);
  };
}

std::string_view bearer_token(const Request& request) {
  constexpr std::string_view kScheme = "Bearer ";
  const std::string_view value = request.header("authorization");
  if (value.size() < kScheme.size() || !boost::beast::iequals(value.substr(0, kScheme.size()), kScheme))
    return {};
  return value.substr(kScheme.size());
}

unsigned status_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::token_required:
    case Refusal::token_invalid:
    case Refusal::token_expired: return 401;
    case Refusal::rate_limited: return 429;
    default: return 400;
  }
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
      origins_(params_.cors),
      minting_(params_.credentials_per_second, std::uint64_t{20} * params_.credentials_per_second,
               params_.seed),
      hub_(params_.limits, random),
      tokens_(params_.tokens.secrets),
      ice_servers_(params_.ice_servers),
      plain_({.hub = hub_,
              .ice_servers = ice_servers_,
              .tokens = tokens_,
              .minting = minting_,
              .access = params_.tokens.access,
              .connect_timeout = params_.connect_timeout}),
      timer_(io) {
  if (!params_.root.empty()) files_.emplace(params_.root);
}

void SignalingSite::add_routes(Router& router) {
  router.add("GET", "/ice-servers", at_once([this](const Request& request) { return ice_servers(request); }));
  router.add("GET", "/turn", at_once([this](const Request& request) { return turn_rest(request); }));
  router.add_web_socket("/ws", *this);
  if (files_) {
    router.set_fallback(at_once([this](const Request& request) { return files_->serve(request); }));
  } else {
    router.set_fallback(at_once(call_page));
  }
}

// The room or the subject of a token, else where the request is from: so that one user's quota is not
// another's.
std::string SignalingSite::quota_user(const Request& request, const signaling::Grant& grant) {
  if (!grant.subject.empty()) return grant.subject;
  if (grant.room) return ice_servers_.quota_user("room", *grant.room);
  return ice_servers_.quota_user("guest", source_block(request.client).to_string());
}

Result<signaling::IceCredentials, Refusal> SignalingSite::mint(const Request& request) {
  const TimePoint now = params_.clock();
  signaling::Grant grant;
  if (params_.tokens.access == signaling::Access::token) {
    const std::string_view token = bearer_token(request);
    if (token.empty()) return Refusal::token_required;
    auto verified = tokens_.verify(token, now.wall);
    if (!verified) return verified.error();
    grant = std::move(*verified);
  }
  if (!minting_.allow(request.client, now.steady)) return Refusal::rate_limited;
  return ice_servers_.mint(quota_user(request, grant), now.wall);
}

Response SignalingSite::minted(const Request& request,
                               const std::function<std::string(const signaling::IceCredentials&)>& body) {
  if (!origins_.allow(request)) return error_response(403, "this origin is not allowed here");
  const auto credentials = mint(request);
  Response response = credentials ? json_response(body(*credentials)) : refused(credentials.error());
  origins_.add_headers(request, response);
  return response;
}

Response SignalingSite::ice_servers(const Request& request) {
  return minted(request, [&](const signaling::IceCredentials& credentials) {
    const std::string host = ice_servers_.host_for(request.host);
    const auto ttl = std::chrono::duration_cast<std::chrono::seconds>(ice_servers_.lifetime()).count();
    return json::serialize(json::object{{"iceServers", ice_servers_.entries(host, credentials)},
                                        {"iceTransportPolicy", "all"},
                                        {"ttl", ttl},
                                        {"expiresAt", signaling::to_rfc3339(credentials.expires)}});
  });
}

// draft-uberti-behave-turn-rest §2.2.
Response SignalingSite::turn_rest(const Request& request) {
  if (query_value(request.query, "service") != "turn") {
    return error_response(400, "expected ?service=turn");
  }
  return minted(request, [&](const signaling::IceCredentials& credentials) {
    json::array uris;
    for (const std::string& url : ice_servers_.turn_urls(ice_servers_.host_for(request.host)))
      uris.emplace_back(url);
    const auto ttl = std::chrono::duration_cast<std::chrono::seconds>(ice_servers_.lifetime()).count();
    return json::serialize(json::object{{"username", credentials.username},
                                        {"password", credentials.password},
                                        {"ttl", ttl},
                                        {"uris", std::move(uris)}});
  });
}

void SignalingSite::on_open(std::uint64_t number, std::shared_ptr<WebSocket> socket, const Request& request) {
  sockets_.emplace(number, std::move(socket));
  plain_.on_open(number,
                 {.address = request.client,
                  .host = std::string(request.host),
                  .token = std::string(bearer_token(request))},
                 params_.clock());
  flush();
}

void SignalingSite::on_message(std::uint64_t number, std::string_view message, bool binary) {
  if (binary) {
    sockets_.at(number)->close(kUnsupportedData, "this protocol is text");
    return;
  }
  plain_.on_text(number, message, params_.clock(), output_);
  flush();
}

void SignalingSite::on_closed(std::uint64_t number, bool goodbye) {
  sockets_.erase(number);
  plain_.on_closed(number, goodbye, params_.clock(), output_);
  flush();
}

void SignalingSite::flush() {
  for (const auto& send : output_.sends) {
    if (const auto socket = sockets_.find(send.to); socket != sockets_.end())
      socket->second->send(send.text, false);
  }
  for (const auto& close : output_.closes) {
    if (const auto socket = sockets_.find(close.to); socket != sockets_.end()) {
      socket->second->close(close.code, close.reason);
    }
  }
  output_.clear();
  set_timer();
}

void SignalingSite::stop() {
  stopping_ = true;
  timer_.cancel();
}

void SignalingSite::set_timer() {
  if (stopping_) return;
  const SteadyTime deadline = plain_.next_deadline();
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
    plain_.on_timeout(params_.clock(), output_);
    flush();
  });
}

}  // namespace turnpike::http
